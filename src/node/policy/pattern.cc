#include "node/policy/pattern.h"

#include <algorithm>

#include "base/error.h"
#include "base/printable.h"
#include "base/wildcard.h"

namespace flox::policy {
namespace {

constexpr size_t longest = 256;  // bytes

bool is_wildcard(char c) { return c == '*' || c == '?'; }

}  // namespace

Pattern::Pattern(std::string text) : text_(std::move(text)) {
  if (text_.empty()) fail(ErrorKind::invalid_input, "an empty pattern");
  if (text_.size() > longest)
    fail(ErrorKind::invalid_input, "a pattern of {} bytes: it may have {}", text_.size(), longest);
  if (std::ranges::any_of(text_, [](char c) { return c <= ' ' || c == 0x7f; }))
    fail(ErrorKind::invalid_input, "'{}' has a space or a control character", printable(text_, 60));
}

bool Pattern::is_literal() const noexcept { return std::ranges::none_of(text_, is_wildcard); }

bool Pattern::matches(std::string_view name) const noexcept { return matches_path_pattern(text_, name); }

std::string Pattern::regular_expression() const {
  std::string result;
  for (const char c : text_) {
    if (c == '*') {
      result += "[^/]*";
    } else if (c == '?') {
      result += "[^/]";
    } else {
      if (std::string_view(R"(\.+*?()|[]{}^$)").find(c) != std::string_view::npos) result += '\\';
      result += c;
    }
  }
  return result;
}

}  // namespace flox::policy
