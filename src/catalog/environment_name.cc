#include "catalog/environment_name.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"

namespace flox::catalog {
namespace {

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_part(std::string_view part) {
  constexpr size_t longest = 64;
  return !part.empty() && part.size() <= longest && is_alphanumeric(part[0]) &&
         std::all_of(part.begin(), part.end(),
                     [](char c) { return is_alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

[[noreturn]] void refuse_name(std::string_view name) {
  throw Error(ErrorKind::invalid_input, fmt::format("'{}' is not the name of an environment", name),
              "Write OWNER/NAME, each of at most 64 letters, digits, '.', '_' and '-'.");
}

}  // namespace

std::string EnvironmentName::to_string() const {
  return generation ? fmt::format("{}/{}:{}", owner, name, *generation) : fmt::format("{}/{}", owner, name);
}

void check_environment_name(std::string_view owner, std::string_view name) {
  if (!is_part(owner) || !is_part(name)) refuse_name(fmt::format("{}/{}", owner, name));
}

EnvironmentName parse_environment_name(std::string_view text) {
  EnvironmentName result;
  std::string_view rest = text;
  if (const size_t colon = text.rfind(':'); colon != std::string_view::npos) {
    const std::string_view number = text.substr(colon + 1);
    int64_t generation = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), generation);
    if (error != std::errc() || end != number.data() + number.size() || generation < 1)
      throw Error(ErrorKind::invalid_input, fmt::format("'{}': '{}' is not a generation", text, number),
                  "Write OWNER/NAME:GENERATION, as acme/web:3.");
    result.generation = generation;
    rest = text.substr(0, colon);
  }
  const size_t slash = rest.find('/');
  if (slash == std::string_view::npos) refuse_name(rest);
  result.owner = rest.substr(0, slash);
  result.name = rest.substr(slash + 1);
  check_environment_name(result.owner, result.name);
  return result;
}

}  // namespace flox::catalog
