#include "base/net/server/http_message.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/http/status.hpp>
#include <cctype>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/letter_case.h"
#include "base/log.h"
#include "base/net/server/retry_later.h"

namespace flox {
namespace {

namespace http = boost::beast::http;

constexpr size_t most_parameters = 32;
constexpr size_t most_told = 1000;  // bytes

int status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::not_found:
      return 404;
    case ErrorKind::invalid_input:
      return 400;
    case ErrorKind::untrusted:
      return 403;
    case ErrorKind::conflict:
      return 409;
    case ErrorKind::unavailable:
      return 503;
    case ErrorKind::internal:
      return 500;
  }
  return 500;
}

[[noreturn]] void bad(std::string_view why, int status = 400) {
  throw StatusError(status, ErrorKind::invalid_input, std::string(why));
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 32);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool is_continuation(unsigned char c) { return (c & 0xC0) == 0x80; }

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i]);
    const size_t size = first < 0x80                    ? 1
                        : first >= 0xC2 && first < 0xE0 ? 2
                        : first >= 0xE0 && first < 0xF0 ? 3
                        : first >= 0xF0 && first < 0xF5 ? 4
                                                        : 0;
    if (size == 0 || i + size > text.size()) return false;
    for (size_t k = 1; k < size; ++k)
      if (!is_continuation(static_cast<unsigned char>(text[i + k]))) return false;
    if (size > 2) {
      const auto second = static_cast<unsigned char>(text[i + 1]);
      if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
          (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F))
        return false;
    }
    i += size;
  }
  return true;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

std::map<std::string, std::string> parse_query(std::string_view text) {
  std::map<std::string, std::string> query;
  size_t count = 0;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(pair.size() + 1, text.size()));
    if (pair.empty()) continue;
    if (++count > most_parameters) bad(fmt::format("the query has over {} parameters", most_parameters));
    const size_t equals = pair.find('=');
    auto key = decode_url_part(pair.substr(0, equals), true);
    auto value =
        equals == std::string_view::npos ? std::string() : decode_url_part(pair.substr(equals + 1), true);
    if (!key || !value) bad("the query is not well encoded");
    query[std::move(*key)] = std::move(*value);
  }
  return query;
}

// Fields of which two would leave it to the reader which one counts.
bool is_single(std::string_view name) {
  for (const char* known : {"host", "content-length", "transfer-encoding", "authorization", "expect", "range",
                            "content-type", "x-forwarded-proto", "if-range"})
    if (name == known) return true;
  return false;
}

// Fields that are lists: several of one name are one, in their order (RFC 9110, section 5.3).
bool is_list(std::string_view name) {
  for (const char* known : {"forwarded", "x-forwarded-for", "if-match", "if-none-match"})
    if (name == known) return true;
  return false;
}

void take_fields(const HttpHead& head, const HttpServerOptions& options, ServerRequest& request) {
  size_t count = 0;
  for (const auto& field : head) {
    if (++count > options.max_fields)
      bad(fmt::format("the request has over {} header fields", options.max_fields), 431);
    const std::string name = lower_case(field.name_string());
    std::string value(field.value());
    if (std::ranges::any_of(value, [](char c) { return is_control(c) && c != '\t'; }))
      bad(fmt::format("the header field {} has a control character", name));
    const auto [known, is_new] = request.headers.try_emplace(name, value);
    if (is_new) continue;
    if (is_single(name)) bad(fmt::format("the header field {} is given twice", name));
    known->second = is_list(name) ? known->second + ", " + value : std::move(value);
  }
}

// RFC 9112, section 6: a body that two readers could end in two places is refused.
void check_framing(const HttpHead& head, const ServerRequest& request) {
  const auto length = request.headers.find("content-length");
  if (length != request.headers.end() &&
      !std::ranges::all_of(length->second, [](char c) { return c >= '0' && c <= '9'; }))
    bad("Content-Length is not a number");
  const auto encoding = request.headers.find("transfer-encoding");
  if (encoding == request.headers.end()) return;
  if (length != request.headers.end()) bad("the request has both Content-Length and Transfer-Encoding");
  if (!is_same_in_any_case(encoding->second, "chunked"))
    bad("the only Transfer-Encoding that is understood is chunked", 501);
  if (head.version() < 11) bad("HTTP/1.0 has no Transfer-Encoding");
}

std::string cut(std::string_view text) {
  if (text.size() <= most_told) return std::string(text);
  size_t end = most_told;
  while (end > 0 && is_continuation(static_cast<unsigned char>(text[end]))) --end;
  return std::string(text.substr(0, end)) + "…";
}

}  // namespace

std::optional<std::string> decode_url_part(std::string_view text, bool plus_is_space) {
  std::string result;
  result.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high << 4 | low);
      i += 2;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    if (is_control(c)) return std::nullopt;
    result += c;
  }
  return is_utf8(result) ? std::optional(std::move(result)) : std::nullopt;
}

ServerRequest request_of(const HttpHead& head, const HttpServerOptions& options) {
  ServerRequest request;
  request.method = std::string(head.method_string());
  const std::string_view target(head.target().data(), head.target().size());
  if (target.size() > options.max_target)
    bad(fmt::format("the address is over {} bytes", options.max_target), 414);
  if (!target.starts_with('/')) bad("the address must be a path that begins with '/'");
  if (target.find('#') != std::string_view::npos) bad("the address has a fragment");
  const size_t question = target.find('?');
  auto path = decode_url_part(target.substr(0, question), false);
  if (!path) bad("the path is not well encoded");
  request.path = std::move(*path);
  if (question != std::string_view::npos) request.query = parse_query(target.substr(question + 1));
  take_fields(head, options, request);
  check_framing(head, request);
  return request;
}

ServerResponse problem(int status, std::string_view title, std::string_view detail, std::string_view advice) {
  nlohmann::json document = {{"status", status}, {"title", title}, {"detail", cut(detail)}};
  if (!advice.empty()) document["advice"] = cut(advice);
  ServerResponse response{
      .status = status,
      .content_type = "application/problem+json",
      .body = document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"};
  response.headers["Cache-Control"] = "no-store";  // some statuses may be kept unless this is said
  if (status == 503) response.headers["Retry-After"] = "1";
  if (status == 507) response.headers["Retry-After"] = "60";  // somebody must make room first
  return response;
}

int status_of(const Error& error) noexcept {
  const auto* with_status = dynamic_cast<const StatusError*>(&error);
  return with_status != nullptr ? with_status->status() : status_of(error.kind());
}

ServerResponse problem_of(const ServerRequest& request, const std::exception& thrown) {
  const auto* error = dynamic_cast<const Error*>(&thrown);
  if (const auto* with_status = dynamic_cast<const StatusError*>(&thrown)) {
    ServerResponse response =
        problem(with_status->status(), to_string(error->kind()), error->what(), error->advice());
    if (const auto* later = dynamic_cast<const RetryLater*>(&thrown))
      response.headers["Retry-After"] = std::to_string(later->after().count());
    return response;
  }
  if (error != nullptr && error->kind() != ErrorKind::internal && error->kind() != ErrorKind::unavailable)
    return problem(status_of(error->kind()), to_string(error->kind()), error->what(), error->advice());
  log::error("{} {}: {}", request.method, request.path, message_of(thrown));
  if (error != nullptr && error->kind() == ErrorKind::unavailable)
    return problem(503, to_string(error->kind()), "the server cannot do this now",
                   "Try again; the server's log says what is wrong.");
  return problem(500, "internal error", "the server failed", "The server's log says why.");
}

std::string head_of(const ServerResponse& response, bool keep_alive, std::optional<uint64_t> length,
                    bool chunked) {
  const auto reason = http::obsolete_reason(static_cast<http::status>(response.status));
  if (std::ranges::any_of(response.reason, is_control))
    fail(ErrorKind::internal, "the answer's reason has a control character");
  std::string text =
      fmt::format("HTTP/1.1 {} {}\r\nServer: flox-imageless/" FLOX_VERSION "\r\n", response.status,
                  response.reason.empty() ? std::string_view(reason.data(), reason.size())
                                          : std::string_view(response.reason));
  const auto add = [&](std::string_view name, std::string_view value) {
    if (std::ranges::any_of(value, is_control) || std::ranges::any_of(name, is_control))
      fail(ErrorKind::internal, "a header field of the answer has a control character");
    text.append(name).append(": ").append(value).append("\r\n");
  };
  const bool has_content = response.status != 304;  // RFC 9110, section 15.4.5
  if (has_content) add("Content-Type", response.content_type);
  for (const auto& [name, value] : response.headers) add(name, value);
  if (length && has_content) add("Content-Length", std::to_string(*length));
  if (chunked) add("Transfer-Encoding", "chunked");
  if (!keep_alive) add("Connection", "close");
  return text + "\r\n";
}

}  // namespace flox
