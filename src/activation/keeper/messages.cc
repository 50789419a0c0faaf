#include "activation/keeper/messages.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/data/base64url.h"
#include "base/data/json.h"
#include "base/error.h"

namespace flox::activation {
namespace {

using nlohmann::json;

constexpr std::string_view what = "a message of the keeper";
constexpr std::array<std::string_view, 8> kinds = {"begin",  "ready", "attach",  "detach",
                                                   "status", "start", "restart", "stop"};

Changes changes_in(const json& object) {
  return {.set = parse_packed_variables(optional_string(object, "set", what)),
          .unset = parse_packed_names(optional_string(object, "unset", what))};
}

void add_changes(json& object, const Changes& changes) {
  if (!changes.set.empty()) object["set"] = packed(changes.set);
  if (!changes.unset.empty()) object["unset"] = packed(changes.unset);
}

std::vector<std::string> texts_in(const json& object, const char* key) {
  std::vector<std::string> texts;
  const auto found = object.find(key);
  if (found == object.end()) return texts;
  if (!found->is_array()) fail(ErrorKind::invalid_input, "{}: {} is no list", what, key);
  for (const json& text : *found) {
    if (!text.is_string()) fail(ErrorKind::invalid_input, "{}: {} is no list of texts", what, key);
    texts.push_back(text.get<std::string>());
  }
  return texts;
}

bool flag_in(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return false;
  if (!found->is_boolean()) fail(ErrorKind::invalid_input, "{}: {} is neither true nor false", what, key);
  return found->get<bool>();
}

std::optional<int> number_in(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return std::nullopt;
  if (!found->is_number_integer()) fail(ErrorKind::invalid_input, "{}: {} is no number", what, key);
  const auto number = found->get<int64_t>();
  if (number < 0 || number > std::numeric_limits<int>::max() || (found->is_number_unsigned() && number < 0))
    fail(ErrorKind::invalid_input, "{}: {} is out of range", what, key);
  return static_cast<int>(number);
}

json document_of(std::string_view text) {
  json document = parse_json(text, what, {.bytes = max_frame, .depth = 16, .values = 200'000});
  if (!document.is_object()) fail(ErrorKind::invalid_input, "{}: it is no object", what);
  return document;
}

std::string text_of(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

ServiceStatus status_in(const json& entry) {
  if (!entry.is_object()) fail(ErrorKind::invalid_input, "{}: a service is no object", what);
  return {.name = string_member(entry, "name", what),
          .status = string_member(entry, "status", what),
          .pid = number_in(entry, "pid"),
          .exit_code = number_in(entry, "exit_code")};
}

}  // namespace

std::string to_text(const Request& request) {
  json object = {{"kind", kinds.at(static_cast<size_t>(request.kind))},
                 {"profile", request.key.profile},
                 {"mode", request.key.mode}};
  if (request.pid != 0) object["pid"] = request.pid;
  if (request.linger) object["linger"] = true;
  add_changes(object, request.changes);
  if (!request.environment.empty()) object["environment"] = packed(request.environment);
  if (!request.cwd.empty()) object["cwd"] = to_base64url(request.cwd);
  if (request.services != env::Services{}) object["services"] = to_text(request.services);
  if (!request.names.empty()) object["names"] = request.names;
  return text_of(object);
}

Request parse_request(std::string_view text) {
  const json object = document_of(text);
  const auto kind = std::ranges::find(kinds, string_member(object, "kind", what));
  if (kind == kinds.end()) fail(ErrorKind::invalid_input, "{}: an unknown request", what);
  Request request;
  request.kind = static_cast<Request::Kind>(kind - kinds.begin());
  request.key = {.profile = optional_string(object, "profile", what),
                 .mode = optional_string(object, "mode", what)};
  request.pid = number_in(object, "pid").value_or(0);
  request.linger = flag_in(object, "linger");
  request.changes = changes_in(object);
  request.environment = parse_packed_variables(optional_string(object, "environment", what));
  request.cwd = from_base64url(optional_string(object, "cwd", what));
  if (request.cwd.find('\0') != std::string::npos)
    fail(ErrorKind::invalid_input, "{}: a path with a NUL", what);
  if (const auto services = optional_string(object, "services", what); !services.empty())
    request.services = env::parse_services(services);
  request.names = texts_in(object, "names");
  return request;
}

std::string to_text(const Answer& answer) {
  json object = json::object();
  if (!answer.error.empty()) object["error"] = answer.error;
  if (!answer.advice.empty()) object["advice"] = answer.advice;
  if (answer.run_hook) object["run-hook"] = true;
  if (answer.keeper != 0) object["keeper"] = answer.keeper;
  add_changes(object, answer.changes);
  for (const ServiceStatus& service : answer.services) {
    json entry = {{"name", service.name}, {"status", service.status}};
    if (service.pid) entry["pid"] = *service.pid;
    if (service.exit_code) entry["exit_code"] = *service.exit_code;
    object["services"].push_back(std::move(entry));
  }
  if (!answer.done.empty()) object["done"] = answer.done;
  if (!answer.unchanged.empty()) object["unchanged"] = answer.unchanged;
  return text_of(object);
}

Answer parse_answer(std::string_view text) {
  const json object = document_of(text);
  Answer answer;
  answer.error = optional_string(object, "error", what);
  answer.advice = optional_string(object, "advice", what);
  answer.run_hook = flag_in(object, "run-hook");
  answer.keeper = number_in(object, "keeper").value_or(0);
  answer.changes = changes_in(object);
  if (const auto services = object.find("services"); services != object.end() && services->is_array())
    for (const json& entry : *services) answer.services.push_back(status_in(entry));
  answer.done = texts_in(object, "done");
  answer.unchanged = texts_in(object, "unchanged");
  return answer;
}

std::optional<std::string> take_frame(std::string& buffer) {
  if (buffer.size() < 4) return std::nullopt;
  size_t size = 0;
  for (size_t i = 4; i-- > 0;) size = size << 8 | static_cast<unsigned char>(buffer[i]);
  if (size > max_frame) fail(ErrorKind::invalid_input, "{}: it has more than {} bytes", what, max_frame);
  if (buffer.size() - 4 < size) return std::nullopt;
  std::string text = buffer.substr(4, size);
  buffer.erase(0, 4 + size);
  return text;
}

std::string framed(std::string_view text) {
  std::string frame;
  for (size_t i = 0, size = text.size(); i < 4; ++i, size >>= 8) frame += static_cast<char>(size & 0xff);
  return frame.append(text);
}

}  // namespace flox::activation
