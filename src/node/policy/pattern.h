// Patterns of names in a policy: * stands for any text and ? for one character, neither for a '/'.
#pragma once

#include <string>
#include <string_view>

namespace flox::policy {

// Immutable.
class Pattern {
 public:
  // Throws Error(invalid_input) for an empty text, one of more than 256 bytes, and one with spaces or control
  // characters.
  explicit Pattern(std::string text);

  // Whether the whole name is as the pattern says. Time by the product of both lengths at most.
  bool matches(std::string_view name) const noexcept;
  const std::string& text() const noexcept { return text_; }
  // It stands for one name only.
  bool is_literal() const noexcept;
  // The same as a regular expression for the whole name, in RE2's syntax
  // (https://github.com/google/re2/wiki/Syntax), without anchors.
  std::string regular_expression() const;

 private:
  std::string text_;
};

}  // namespace flox::policy
