#include "base/data/toml_limits.h"

#include <algorithm>
#include <vector>

#include "base/error.h"

namespace flox {
namespace {

// Goes once over the text and counts how deep what stands there nests: brackets, and the dots of keys and
// headers, each of which makes a table. It need not know the whole grammar: what it passes and toml++ refuses
// is refused.
class NestingCheck {
 public:
  NestingCheck(std::string_view text, std::string_view name, const TomlLimits& limits)
      : text_(text), name_(name), limits_(limits) {}

  void run() {
    while (at_ < text_.size()) step();
  }

 private:
  void step() {
    const char c = text_[at_];
    switch (c) {
      case '#':
        skip_to_line_end();
        return;
      case '"':
      case '\'':
        skip_string(c);
        return;
      case '\n':
        ++line_;
        line_start_ = at_ + 1;
        if (open_.empty()) dots_ = 0;
        break;
      case '[':
      case '{':
        open_.push_back(dots_);
        depth_ += dots_ + 1;
        dots_ = 0;
        count_value();
        check();
        break;
      case ']':
      case '}':
        if (!open_.empty()) {
          depth_ -= open_.back() + 1;
          dots_ = open_.back();
          open_.pop_back();
        }
        break;
      case '.':
        ++dots_;
        check();
        break;
      case ',':
        dots_ = 0;
        count_value();
        break;
      case '=':
        count_value();
        break;
      default:
        break;
    }
    ++at_;
  }

  void skip_to_line_end() { at_ = std::min(text_.find('\n', at_), text_.size()); }

  // Basic and literal strings, of one line or, in three quotes, of several. A missing end is toml++'s to say.
  void skip_string(char quote) {
    const std::string three(3, quote);
    const bool several_lines = text_.substr(at_, 3) == three;
    at_ += several_lines ? 3 : 1;
    while (at_ < text_.size()) {
      if (several_lines ? text_.substr(at_, 3) == three : text_[at_] == quote) {
        at_ += several_lines ? 3 : 1;
        while (several_lines && at_ < text_.size() && text_[at_] == quote) ++at_;  // '""""' ends with a quote
        return;
      }
      if (text_[at_] == '\n') {
        if (!several_lines) return;
        ++line_;
        line_start_ = at_ + 1;
      }
      at_ += text_[at_] == '\\' && quote == '"' && at_ + 1 < text_.size() && text_[at_ + 1] != '\n' ? 2 : 1;
    }
  }

  void check() const {
    if (depth_ + dots_ > limits_.depth) refuse(fmt::format("nested more than {} levels deep", limits_.depth));
  }
  void count_value() {
    if (++values_ > limits_.values) refuse(fmt::format("more than {} keys and values", limits_.values));
  }
  [[noreturn]] void refuse(std::string_view what) const {
    fail(ErrorKind::invalid_input, "{}:{}:{}: {}", name_, line_, 1 + at_ - line_start_, what);
  }

  std::string_view text_;
  std::string_view name_;
  const TomlLimits& limits_;
  size_t at_ = 0;
  size_t line_ = 1;
  size_t line_start_ = 0;
  size_t depth_ = 0;  // of the open brackets, with the dots in front of each
  size_t dots_ = 0;   // in the key or number at hand
  size_t values_ = 0;
  std::vector<size_t> open_;  // the dots in front of each open bracket
};

}  // namespace

void check_toml(std::string_view text, std::string_view name, const TomlLimits& limits) {
  if (text.size() > limits.bytes)
    fail(ErrorKind::invalid_input, "{}: {} bytes are over the limit of {}", name, text.size(), limits.bytes);
  NestingCheck(text, name, limits).run();
}

}  // namespace flox
