#include "ticket/aws/answer.h"

#include <map>

#include "base/data/json.h"

namespace ticket::aws {

using flox::ErrorKind;

namespace {

constexpr flox::XmlLimits xml_limits{.bytes = 64 << 10, .depth = 16, .elements = 1000};

// The text of the first of these members or elements that the answer, if it is an object or a document, has.
// An answer of another form says nothing here.
std::string part_of_error(const flox::HttpResponse& response, std::initializer_list<const char*> members,
                          const char* element) {
  const std::string& body = response.body;
  const size_t begin = body.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return "";
  try {
    if (body[begin] == '{') {
      const auto json = parse_answer(body);
      for (const char* name : members)
        if (const auto found = json.find(name); found != json.end() && found->is_string())
          return found->get<std::string>();
    } else if (body[begin] == '<') {
      const flox::XmlElement root = parse_xml_answer(body);
      if (const flox::XmlElement* found = root.find(element)) return found->text;
    }
  } catch (const flox::Error&) {
  }
  return "";
}

}  // namespace

nlohmann::json parse_answer(std::string_view text) {
  try {
    auto answer =
        flox::parse_json(text, "the answer", {.bytes = most_answer_bytes, .depth = 32, .values = 1 << 16});
    if (answer.is_object()) return answer;
  } catch (const flox::Error& error) {
    flox::fail(ErrorKind::unavailable, "the answer is not a JSON object: {}", error.what());
  }
  flox::fail(ErrorKind::unavailable, "the answer is not a JSON object");
}

flox::XmlElement parse_xml_answer(std::string_view text) {
  try {
    return flox::parse_xml(text, "the answer", xml_limits);
  } catch (const flox::Error& error) {
    flox::fail(ErrorKind::unavailable, "the answer is not an XML document: {}", error.what());
  }
}

std::string error_code(const flox::HttpResponse& response) {
  std::string code = part_of_error(response, {"__type"}, "Code");
  if (size_t hash = code.rfind('#'); hash != std::string::npos) code.erase(0, hash + 1);
  return code.substr(0, std::min(code.find(':'), longest_error));
}

std::string error_text(const flox::HttpResponse& response) {
  std::string text = part_of_error(response, {"message", "Message"}, "Message");
  if (text.size() > longest_error) text.replace(longest_error, std::string::npos, "…");
  return text;
}

ErrorKind meaning_of(int status, const std::string& code) {
  static const std::map<std::string, ErrorKind> known{
      {"QueueDoesNotExist", ErrorKind::not_found},
      {"AWS.SimpleQueueService.NonExistentQueue", ErrorKind::not_found},
      {"ResourceNotFoundException", ErrorKind::not_found},
      {"AccessDeniedException", ErrorKind::untrusted},
      {"UnrecognizedClientException", ErrorKind::untrusted},
      {"InvalidClientTokenId", ErrorKind::untrusted},
      {"InvalidSignatureException", ErrorKind::untrusted},
      {"SignatureDoesNotMatch", ErrorKind::untrusted},
      {"MissingAuthenticationTokenException", ErrorKind::untrusted},
      {"ExpiredToken", ErrorKind::untrusted},
      {"ExpiredTokenException", ErrorKind::untrusted},
      {"ConditionalCheckFailedException", ErrorKind::conflict},
      {"ResourceInUseException", ErrorKind::conflict},
      {"QueueAlreadyExists", ErrorKind::conflict},
      {"QueueNameExists", ErrorKind::conflict},
      {"ConditionalRequestConflict", ErrorKind::unavailable},  // S3 asks for the same request again
      {"OperationAborted", ErrorKind::unavailable},
      {"RequestTimeout", ErrorKind::unavailable},
      {"ProvisionedThroughputExceededException", ErrorKind::unavailable},
      {"RequestLimitExceeded", ErrorKind::unavailable},
      {"TransactionInProgressException", ErrorKind::unavailable},
      {"SlowDown", ErrorKind::unavailable}};
  if (auto found = known.find(code); found != known.end()) return found->second;
  if (code.find("Throttl") != std::string::npos || code.find("TooManyRequests") != std::string::npos)
    return ErrorKind::unavailable;
  if (status >= 500 || status == 429 || status == 408) return ErrorKind::unavailable;
  if (status == 401 || status == 403) return ErrorKind::untrusted;
  if (status == 404) return ErrorKind::not_found;
  if (status == 409 || status == 412) return ErrorKind::conflict;
  return ErrorKind::invalid_input;
}

}  // namespace ticket::aws
