#include "base/net/aws/shared_file.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/letter_case.h"

namespace flox::aws {
namespace {

constexpr std::string_view blanks = " \t\v\f\x1c\x1d\x1e\x1f";

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

// Lines that end with \n, \r\n or \r.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  // Nothing at the end.
  std::optional<std::string_view> next() {
    if (rest_.empty()) return std::nullopt;
    const size_t end = std::min(rest_.find_first_of("\r\n"), rest_.size());
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end);
    if (rest_.starts_with("\r\n"))
      rest_.remove_prefix(2);
    else if (!rest_.empty())
      rest_.remove_prefix(1);
    ++number_;
    return line;
  }
  unsigned number() const { return number_; }  // of the line given last, from 1

 private:
  std::string_view rest_;
  unsigned number_ = 0;
};

class Reader {
 public:
  explicit Reader(std::string_view text) : lines_(text) {}

  std::vector<std::pair<std::string, Section>> read() {
    while (const auto line = lines_.next()) take(*line);
    end_setting();
    for (auto& [name, section] : sections_)
      for (const auto& [setting, value] : defaults_) section.emplace(setting, value);
    return std::move(sections_);
  }

 private:
  [[noreturn]] void refuse(std::string_view why) const {
    throw Error(ErrorKind::invalid_input, fmt::format("line {}: {}", lines_.number(), why),
                "Correct the line. AWS's own tools refuse the file, too.");
  }

  void take(std::string_view line) {
    if (line.find('\0') != line.npos) refuse("it has a NUL byte");
    const std::string_view content = trim(line);
    if (content.empty()) ++empty_lines_;
    if (content.empty() || content.front() == '#' || content.front() == ';') return;
    const size_t indent = line.find_first_not_of(blanks);
    if (!name_.empty() && indent > indent_) return take_continuation(content);
    end_setting();
    indent_ = indent;
    const size_t close = content.rfind(']');
    if (content.front() == '[' && close != content.npos && close > 1)
      take_section(content.substr(1, close - 1));
    else if (section_.empty())
      refuse("it stands before the first section, which would be [default], say");
    else
      take_setting(content);
  }

  void take_section(std::string_view name) {
    section_ = name;
    if (name == defaults_name) return;
    if (!sections_seen_.insert(section_).second) refuse("the section is there already");
    sections_.emplace_back(section_, Section());
  }

  void take_setting(std::string_view content) {
    const size_t mark = content.find_first_of("=:");
    if (mark == content.npos) refuse("it is neither a section nor a setting of the form NAME = VALUE");
    name_ = lower_case(trim(content.substr(0, mark)));
    if (name_.empty()) refuse("the setting has no name");
    if (!settings_seen_.emplace(section_, name_).second) refuse("the setting is there already");
    value_ = Secret(std::string(trim(content.substr(mark + 1))));
    is_nested_ = false;
    empty_lines_ = 0;
  }

  void take_continuation(std::string_view content) {
    is_nested_ |= value_.empty();
    if (is_nested_ && content.find('=') == content.npos) refuse("it is not of the form NAME = VALUE");
    if (!is_nested_)
      value_ = Secret(value_.reveal() + std::string(empty_lines_ + 1, '\n') + std::string(content));
    empty_lines_ = 0;
  }

  void end_setting() {
    Section& section = section_ == defaults_name || sections_.empty() ? defaults_ : sections_.back().second;
    if (!name_.empty() && !is_nested_) section.emplace(std::move(name_), std::move(value_));
    name_.clear();
  }

  static constexpr std::string_view defaults_name = "DEFAULT";

  Lines lines_;
  std::vector<std::pair<std::string, Section>> sections_;
  Section defaults_;
  std::set<std::string> sections_seen_;
  std::set<std::pair<std::string, std::string>> settings_seen_;
  std::string section_;     // empty before the first
  std::string name_;        // of the setting that an indented line continues; empty if there is none
  Secret value_;            // what it has so far
  bool is_nested_ = false;  // it has settings of its own instead of a value
  size_t indent_ = 0;       // of its line, or the section's, bytes
  size_t empty_lines_ = 0;  // since its last line
};

// As a shell takes words apart: blanks between them, quotes and backslashes. Nothing if a quote is not
// closed.
std::optional<std::vector<std::string>> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::optional<std::string> word;
  char quote = '\0';
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool escapes = c == '\\' && quote != '\'';
    if (escapes && i + 1 == text.size()) return std::nullopt;
    if (!word && (quote != '\0' || std::string_view(" \t\r\n").find(c) == std::string_view::npos))
      word.emplace();
    if (escapes) {
      const char next = text[++i];
      if (quote == '"' && next != '"' && next != '\\') *word += c;
      *word += next;
    } else if (quote != '\0') {
      if (c == quote)
        quote = '\0';
      else
        *word += c;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (std::string_view(" \t\r\n").find(c) != std::string_view::npos) {
      if (word) words.push_back(*std::exchange(word, std::nullopt));
    } else {
      *word += c;
    }
  }
  if (quote != '\0') return std::nullopt;
  if (word) words.push_back(*word);
  return words;
}

}  // namespace

std::vector<std::pair<std::string, Section>> parse_shared_file(std::string_view text) {
  return Reader(text).read();
}

std::string profile_of_section(std::string_view section) {
  if (section == "default") return "default";
  if (!section.starts_with("profile")) return {};
  const auto words = words_of(section);
  return words && words->size() == 2 ? words->back() : std::string();
}

}  // namespace flox::aws
