#include "trust/names.h"

#include <algorithm>

#include "base/error.h"
#include "base/letter_case.h"
#include "base/printable.h"
#include "base/wildcard.h"

namespace flox::trust {
namespace {

constexpr size_t longest_label = 64;
constexpr size_t longest_name = 128;  // as the catalog's packages have it
constexpr size_t longest_pattern = 160;

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool all_of(std::string_view text, std::string_view further) {
  return std::ranges::all_of(
      text, [&](char c) { return is_alphanumeric(c) || further.find(c) != std::string_view::npos; });
}

}  // namespace

void check_label(std::string_view text, std::string_view what) {
  if (text.empty() || text.size() > longest_label || !is_alphanumeric(text[0]) || !all_of(text, "._-"))
    throw Error(ErrorKind::invalid_input, fmt::format("{} '{}' cannot be used", what, printable(text, 100)),
                "Write at most 64 letters, digits, '.', '_' and '-' that begin with a letter or a digit.");
}

void check_owner(std::string_view owner) { check_label(owner, "the owner's name"); }

std::string accept_command(std::string_view owner) {
  return fmt::format("flox trust accept {} --from-catalog --fingerprint HEX", owner);
}

std::string look_of(std::string_view name) {
  std::string look = lower_case(name);
  for (char& c : look) {
    if (c == '_' || c == '.') c = '-';
    if (c == '0') c = 'o';
    if (c == '1' || c == 'i') c = 'l';
  }
  return look;
}

std::string package_name(std::string_view package) { return fmt::format("packages/{}", package); }
std::string environment_name(std::string_view environment) {
  return fmt::format("environments/{}", environment);
}

void check_name(std::string_view name) {
  const size_t slash = name.find('/');
  const std::string_view kind = name.substr(0, slash);
  const std::string_view rest = slash == std::string_view::npos ? std::string_view() : name.substr(slash + 1);
  if ((kind != "packages" && kind != "environments") || rest.empty() || rest.size() > longest_name ||
      !all_of(rest, "._+-") || rest.find_first_not_of('.') == std::string_view::npos)
    fail(ErrorKind::invalid_input, "'{}' is neither packages/NAME nor environments/NAME",
         printable(name, 200));
}

void check_pattern(std::string_view pattern) {
  const size_t slash = pattern.find('/');
  if (pattern.size() > longest_pattern || slash == 0 || slash == std::string_view::npos ||
      slash + 1 == pattern.size() || !all_of(pattern.substr(0, slash), "*?") ||
      !all_of(pattern.substr(slash + 1), "._+-*?"))
    throw Error(
        ErrorKind::invalid_input, fmt::format("'{}' is not a pattern of names", printable(pattern, 200)),
        "Write packages/PATTERN or environments/PATTERN, with '*' for any text and '?' for any character.");
}

bool matches(std::string_view pattern, std::string_view name) noexcept {
  return matches_path_pattern(pattern, name);
}

}  // namespace flox::trust
