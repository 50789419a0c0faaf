#include "env/expansion.h"

#include <cctype>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/printable.h"

namespace flox::env {
namespace {

bool begins_name(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool continues_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

class Expander {
 public:
  Expander(std::string_view text, const std::map<std::string, std::string>& variables, size_t limit)
      : text_(text), variables_(variables), limit_(limit) {}

  std::string run() { return walk(false, 0); }
  const std::set<std::string>& names() const { return names_; }

 private:
  static constexpr size_t max_depth = 64;

  // Up to the end, or up to the '}' of the word.
  std::string walk(bool in_word, size_t depth) {
    std::string result;
    bool in_quotes = false;  // of a word: "${A:-"x"}"
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (in_word && c == '}' && !in_quotes) return result;
      if (c == '`') refuse("it runs a command");
      if (in_word && c == '"') {
        in_quotes = !in_quotes;
        ++at_;
      } else if (c == '\\') {
        take_backslash(in_word, result);
      } else if (c == '$') {
        result += parameter(depth);
      } else {
        result += c;
        ++at_;
      }
      if (result.size() > limit_)
        fail(ErrorKind::invalid_input, "a value of the manifest's variables has more than {} bytes", limit_);
    }
    if (in_word) refuse("a '}' is missing");
    return result;
  }

  void take_backslash(bool in_word, std::string& result) {
    const char next = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    at_ += 2;
    if (next == '$' || next == '`' || next == '"' || next == '\\' || (in_word && next == '}')) {
      result += next;
    } else if (next != '\n') {
      result += '\\';
      --at_;
    }
  }

  // What stands behind a '$'.
  std::string parameter(size_t depth) {
    ++at_;
    if (at_ == text_.size()) return "$";
    const char c = text_[at_];
    if (c == '(') refuse("it runs a command");
    if (c == '{') return in_braces(depth);
    if (begins_name(c)) return value_of(take_name()).value_or("");
    // Arguments, of which there are none.
    if (std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '@' || c == '*') {
      ++at_;
      return "";
    }
    if (std::string_view("$?!#-").find(c) != std::string_view::npos)
      refuse(fmt::format("'${}' is a parameter of a shell", c));
    return "$";
  }

  std::string in_braces(size_t depth) {
    ++at_;
    if (at_ == text_.size() || !begins_name(text_[at_])) refuse("only names of variables stand in ${…}");
    const std::optional<std::string> value = value_of(take_name());
    const bool colon = at_ < text_.size() && text_[at_] == ':';
    if (colon) ++at_;
    const char how = at_ < text_.size() ? text_[at_] : '\0';
    if (how == '}' && !colon) {
      ++at_;
      return value.value_or("");
    }
    if (how != '-' && how != '+') refuse("of ${…}, only ${NAME}, :-, -, :+ and + are known");
    if (depth == max_depth) refuse(fmt::format("more than {} levels of ${{…}}", max_depth));
    ++at_;
    const bool is_there = value && !(colon && value->empty());
    const bool takes_word = is_there == (how == '+');
    skipped_ += takes_word ? 0 : 1;
    std::string word = walk(true, depth + 1);
    skipped_ -= takes_word ? 0 : 1;
    ++at_;  // its '}'
    if (takes_word) return word;
    return how == '-' ? *value : "";
  }

  std::string take_name() {
    const size_t begin = at_;
    while (at_ < text_.size() && continues_name(text_[at_])) ++at_;
    return *names_.emplace(text_.substr(begin, at_ - begin)).first;
  }

  // Nothing in words that are only read over: a short text could have many long ones.
  std::optional<std::string> value_of(const std::string& name) const {
    const auto it = variables_.find(name);
    return it == variables_.end() || skipped_ > 0 ? std::nullopt : std::optional(it->second);
  }

  [[noreturn]] void refuse(std::string_view why) const {
    throw Error(
        ErrorKind::invalid_input,
        fmt::format("the manifest's variable value '{}' cannot be used: {}", printable(text_, 200), why),
        "Set it in hook.on-activate, or write \\$ for a dollar sign.");
  }

  std::string_view text_;
  const std::map<std::string, std::string>& variables_;
  size_t limit_;
  size_t at_ = 0;
  size_t skipped_ = 0;  // words around this place that do not count
  std::set<std::string> names_;
};

}  // namespace

std::string expand(std::string_view value, const std::map<std::string, std::string>& variables,
                   size_t limit) {
  return Expander(value, variables, limit).run();
}

std::vector<std::string> names_in(std::string_view value) {
  const std::map<std::string, std::string> none;
  Expander expander(value, none, value.size());
  expander.run();
  return {expander.names().begin(), expander.names().end()};
}

}  // namespace flox::env
