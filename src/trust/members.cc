#include "trust/members.h"

#include <algorithm>

#include "base/data/bytes.h"
#include "base/error.h"
#include "base/printable.h"

namespace flox::trust {

void check_hex(std::string_view text, size_t bytes, std::string_view what) {
  if (text.size() != 2 * bytes || text.find_first_not_of("0123456789abcdef") != std::string_view::npos)
    fail(ErrorKind::invalid_input, "{} is not {} lower-case hexadecimal digits", what, 2 * bytes);
}

Members::Members(const nlohmann::json& object) : object_(object) {
  if (!object.is_object()) fail(ErrorKind::invalid_input, "it is not a JSON object");
}

const nlohmann::json& Members::at(const char* key) {
  const auto found = object_.find(key);
  if (found == object_.end()) fail(ErrorKind::invalid_input, "member '{}' is missing", key);
  taken_.emplace_back(key);
  return *found;
}

const nlohmann::json& Members::object(const char* key) {
  const nlohmann::json& value = at(key);
  if (!value.is_object()) fail(ErrorKind::invalid_input, "member '{}' is not an object", key);
  return value;
}

const nlohmann::json& Members::array(const char* key, size_t most) {
  const nlohmann::json& value = at(key);
  if (!value.is_array()) fail(ErrorKind::invalid_input, "member '{}' is not an array", key);
  if (value.size() > most) fail(ErrorKind::invalid_input, "member '{}' has more than {} elements", key, most);
  return value;
}

std::string Members::text(const char* key, size_t most) {
  const nlohmann::json& value = at(key);
  if (!value.is_string()) fail(ErrorKind::invalid_input, "member '{}' is not a text", key);
  if (value.get_ref<const std::string&>().size() > most)
    fail(ErrorKind::invalid_input, "member '{}' has more than {} bytes", key, most);
  return value.get<std::string>();
}

void Members::literal(const char* key, std::string_view expected) {
  if (const std::string value = text(key); value != expected)
    fail(ErrorKind::invalid_input, "member '{}' is '{}' instead of '{}'", key, printable(value, 100),
         expected);
}

uint64_t Members::number(const char* key, uint64_t least, uint64_t most) {
  const nlohmann::json& value = at(key);
  if (!value.is_number_unsigned() || value.get<uint64_t>() < least || value.get<uint64_t>() > most)
    fail(ErrorKind::invalid_input, "member '{}' is not a whole number from {} to {}", key, least, most);
  return value.get<uint64_t>();
}

bool Members::truth(const char* key) {
  const nlohmann::json& value = at(key);
  if (!value.is_boolean()) fail(ErrorKind::invalid_input, "member '{}' is neither true nor false", key);
  return value.get<bool>();
}

std::string Members::hex(const char* key, size_t bytes) {
  const std::string value = text(key, 2 * bytes);
  check_hex(value, bytes, fmt::format("member '{}'", key));
  return from_hex(value);
}

std::vector<std::string> Members::texts(const char* key, size_t most) {
  std::vector<std::string> result;
  for (const nlohmann::json& element : array(key, most)) {
    if (!element.is_string())
      fail(ErrorKind::invalid_input, "member '{}' has an element that is no text", key);
    result.push_back(element.get<std::string>());
  }
  return result;
}

void Members::end() const {
  for (const auto& [key, value] : object_.items())
    if (std::ranges::find(taken_, key) == taken_.end())
      fail(ErrorKind::invalid_input, "member '{}' is not known", printable(key, 100));
}

}  // namespace flox::trust
