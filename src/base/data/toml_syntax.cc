#include "base/data/toml_syntax.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/error.h"

namespace flox {
namespace {

class TomlScanner {
 public:
  TomlScanner(std::string_view text, std::string_view name, const TomlLimits& limits)
      : text_(text), name_(name), limits_(limits) {}

  TomlSyntax run() {
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
    syntax_.sections.push_back({.name = {}, .line = {at_, at_}, .statements = {}});
    while (at_ < text_.size()) scan_line();
    return std::move(syntax_);
  }

 private:
  void scan_line() {
    const size_t begin = at_;
    skip_blanks();
    const char c = peek();
    if (c == '#' || c == '\r' || c == '\n' || at_ == text_.size()) return end_line();
    if (c == '[') return scan_header(begin);
    TomlEntry entry = scan_entry(0);
    end_line();
    syntax_.sections.back().statements.push_back({.line = {begin, at_}, .entry = std::move(entry)});
  }

  void scan_header(size_t begin) {
    TomlSection section;
    ++at_;
    section.is_list = take('[');
    section.name = scan_key();
    expect(']');
    if (section.is_list) expect(']');
    end_line();
    section.line = {begin, at_};
    syntax_.sections.push_back(std::move(section));
  }

  TomlEntry scan_entry(size_t depth) {
    TomlEntry entry{.key = scan_key(), .value = {}};
    expect('=');
    skip_blanks();
    entry.value = scan_value(depth);
    return entry;
  }

  TomlKey scan_key() {
    TomlKey key;
    do {
      skip_blanks();
      const size_t begin = at_;
      const char c = peek();
      if (c == '"')
        key.names.push_back(decoded(scan_string()));
      else if (c == '\'')
        key.names.emplace_back(inner(scan_string()));
      else
        key.names.emplace_back(scan_bare_name());
      key.places.push_back({begin, at_});
      skip_blanks();
    } while (take('.'));
    return key;
  }

  std::string_view scan_bare_name() {
    const size_t begin = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 ||
                                  text_[at_] == '-' || text_[at_] == '_'))
      ++at_;
    if (at_ == begin) refuse("a key was expected");
    return text_.substr(begin, at_ - begin);
  }

  TomlValue scan_value(size_t depth) {
    if (depth > limits_.depth) refuse(fmt::format("nested more than {} levels deep", limits_.depth));
    TomlValue value;
    value.place.begin = at_;
    switch (peek()) {
      case '"':
      case '\'':
        scan_string();
        break;
      case '[':
        scan_array(depth);
        break;
      case '{':
        value.is_inline_table = true;
        value.entries = scan_inline_table(depth);
        break;
      default:
        scan_scalar();
    }
    value.place.end = at_;
    return value;
  }

  // A number, a date (which may have a space in it), true or false.
  void scan_scalar() {
    const size_t begin = at_;
    at_ = std::min(text_.find_first_of(",]}#\r\n", at_), text_.size());
    while (at_ > begin && (text_[at_ - 1] == ' ' || text_[at_ - 1] == '\t')) --at_;
    if (at_ == begin) refuse("a value was expected");
  }

  void scan_array(size_t depth) {
    ++at_;
    for (skip_lines(); !take(']'); skip_lines()) {
      scan_value(depth + 1);
      skip_lines();
      if (!take(',') && peek() != ']') refuse("',' or ']' was expected");
    }
  }

  std::vector<TomlEntry> scan_inline_table(size_t depth) {
    std::vector<TomlEntry> entries;
    ++at_;
    skip_blanks();
    if (take('}')) return entries;
    do {
      entries.push_back(scan_entry(depth + 1));
      skip_blanks();
    } while (take(','));
    expect('}');
    return entries;
  }

  // Of one line or, in three quotes, of several. Gives it with its quotes.
  std::string_view scan_string() {
    const size_t begin = at_;
    const char quote = text_[at_];
    const std::string three(3, quote);
    const bool several_lines = text_.substr(at_, 3) == three;
    at_ += several_lines ? 3 : 1;
    for (; at_ < text_.size(); ++at_) {
      if (several_lines ? text_.substr(at_, 3) == three : text_[at_] == quote) {
        at_ += several_lines ? 3 : 1;
        for (int more = 0; several_lines && more < 2 && peek() == quote; ++more)
          ++at_;  // '""""' ends with one
        return text_.substr(begin, at_ - begin);
      }
      if (text_[at_] == '\n' && !several_lines) break;
      if (text_[at_] == '\\' && quote == '"') ++at_;
    }
    at_ = begin;
    refuse("a string has no end");
  }

  std::string_view inner(std::string_view string) {
    if (string.size() > 5 && string[0] == string[1]) refuse("a key cannot have several lines");
    return string.substr(1, string.size() - 2);
  }

  // What a basic string stands for.
  std::string decoded(std::string_view string) {
    std::string result;
    string = inner(string);
    for (size_t i = 0; i < string.size(); ++i) {
      if (string[i] != '\\') {
        result += string[i];
        continue;
      }
      constexpr std::string_view escapes = "btnfr\"\\";
      constexpr std::string_view meanings = "\b\t\n\f\r\"\\";
      const char c = string[++i];  // a backslash before the last quote escapes it
      if (const size_t known = escapes.find(c); known != std::string_view::npos) {
        result += meanings[known];
        continue;
      }
      const size_t digits = c == 'u' ? 4 : c == 'U' ? 8 : 0;
      if (digits == 0 || i + digits >= string.size()) refuse("an escape is not known");
      append_utf8(code_point(string.substr(i + 1, digits)), result);
      i += digits;
    }
    return result;
  }

  uint32_t code_point(std::string_view digits) {
    uint32_t result = 0;
    for (const char c : digits) {
      const size_t digit = std::string_view("0123456789abcdef").find(static_cast<char>(c | 0x20));
      if (digit == std::string_view::npos || c < '0') refuse("an escape is not known");
      result = result << 4 | static_cast<uint32_t>(digit);
    }
    if (result > 0x10ffff || (result >= 0xd800 && result < 0xe000)) refuse("an escape is no character");
    return result;
  }

  static void append_utf8(uint32_t code, std::string& text) {
    auto byte = [&](uint32_t value) { text += static_cast<char>(value); };
    if (code < 0x80) return byte(code);
    if (code < 0x800) {
      byte(0xc0 | code >> 6);
    } else {
      if (code < 0x10000) {
        byte(0xe0 | code >> 12);
      } else {
        byte(0xf0 | code >> 18);
        byte(0x80 | (code >> 12 & 0x3f));
      }
      byte(0x80 | (code >> 6 & 0x3f));
    }
    byte(0x80 | (code & 0x3f));
  }

  void skip_blanks() {
    while (peek() == ' ' || peek() == '\t') ++at_;
  }
  void skip_comment() {
    if (peek() == '#') at_ = std::min(text_.find('\n', at_), text_.size());
  }
  // Blanks, comments and line ends, as they may stand in an array.
  void skip_lines() {
    for (;;) {
      skip_blanks();
      skip_comment();
      if (!take('\n') && !take_line_end()) return;
    }
  }
  bool take_line_end() {
    if (text_.substr(at_, 2) != "\r\n") return false;
    at_ += 2;
    return true;
  }
  void end_line() {
    skip_blanks();
    skip_comment();
    if (at_ < text_.size() && !take('\n') && !take_line_end()) refuse("the end of the line was expected");
  }

  // NUL at the end, which no TOML text has elsewhere.
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    skip_blanks();
    if (!take(c)) refuse(fmt::format("'{}' was expected", c));
  }
  [[noreturn]] void refuse(std::string_view what) const {
    const std::string_view before = text_.substr(0, at_);
    const size_t line = before.rfind('\n');
    fail(ErrorKind::invalid_input, "{}:{}:{}: {}", name_, 1 + std::ranges::count(before, '\n'),
         line == std::string_view::npos ? 1 + at_ : at_ - line, what);
  }

  std::string_view text_;
  std::string_view name_;
  const TomlLimits& limits_;
  size_t at_ = 0;
  TomlSyntax syntax_;
};

}  // namespace

TomlSyntax scan_toml(std::string_view text, std::string_view name, const TomlLimits& limits) {
  check_toml(text, name, limits);
  return TomlScanner(text, name, limits).run();
}

}  // namespace flox
