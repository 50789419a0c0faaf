#include "kube/reading/yaml_scan.h"

#include <algorithm>

namespace flox::kube {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t'; }
bool is_break(char c) { return c == '\n' || c == '\r'; }

Place place_of(std::string_view text, size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const size_t line_start = before.rfind('\n') == before.npos ? 0 : before.rfind('\n') + 1;
  return {static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1,
          static_cast<int>(offset - line_start) + 1};
}

// The length of the UTF-8 sequence at the start of the text; 0 if it is none (RFC 3629).
size_t sequence_length(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto follows = [&](size_t i, unsigned low = 0x80, unsigned high = 0xbf) {
    return byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef)
    return follows(1, first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf) && follows(2) ? 3 : 0;
  if (first >= 0xf0 && first <= 0xf4)
    return follows(1, first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf) && follows(2) && follows(3)
               ? 4
               : 0;
  return 0;
}

// Follows the text token by token, as far as it must to know a bracket that opens a list from one within a
// plain scalar, a quoted one, a block scalar or a comment.
class FlowScan {
 public:
  FlowScan(std::string_view text, const YamlLimits& limits) : text_(text), limits_(limits) {}

  YamlFault run() {
    while (at_ < text_.size() && !fault_.what) line();
    return fault_;
  }

 private:
  bool more() const { return at_ < text_.size(); }
  char here() const { return more() ? text_[at_] : '\n'; }
  char next() const { return at_ + 1 < text_.size() ? text_[at_ + 1] : '\n'; }
  bool ends_after_next() const { return is_space(next()) || is_break(next()); }

  void skip_line() {
    while (more() && text_[at_] != '\n') ++at_;
    if (more()) ++at_;
  }

  // One line outside brackets; a token may take in further lines.
  void line() {
    const size_t start = at_;
    while (here() == ' ' && more()) ++at_;
    indent_ = at_ - start;
    if (at_ == start && text_.substr(at_).starts_with("---")) at_ += 3;
    if (at_ == start && here() == '%') return skip_line();
    while (more() && !is_break(text_[at_]) && !fault_.what)
      if (!token()) return;
    skip_line();
  }

  // False if the line has been left.
  bool token() {
    while (more() && is_space(here())) ++at_;
    const char c = here();
    if (is_break(c)) return true;
    if ((c == '-' || c == '?' || c == ':') && ends_after_next()) {
      ++at_;
    } else if (c == '&' || c == '*' || c == '!') {
      while (more() && !is_space(here()) && !is_break(here())) ++at_;
    } else if (c == '"' || c == '\'') {
      quoted(c);
      if (here() == ':') ++at_;
    } else if (c == '[' || c == '{') {
      flow();
      if (here() == ':') ++at_;
    } else if (c == '|' || c == '>') {
      block_scalar();
      return false;
    } else if (c == '#') {
      skip_line();
      return false;
    } else {
      plain();
    }
    return true;
  }

  void plain() {
    while (more() && !is_break(here())) {
      if (here() == ':' && ends_after_next()) return;
      if (is_space(here()) && next() == '#') return;
      ++at_;
    }
  }

  void quoted(char quote) {
    for (++at_; more(); ++at_) {
      if (quote == '"' && here() == '\\') {
        ++at_;
      } else if (here() == quote) {
        ++at_;
        if (quote != '\'' || here() != '\'') return;
      }
    }
  }

  // Skips the lines that are indented as deep as the first of them.
  void block_scalar() {
    skip_line();
    size_t content = 0;
    while (more()) {
      size_t end = at_;
      while (end < text_.size() && text_[end] == ' ') ++end;
      const bool blank = end == text_.size() || is_break(text_[end]);
      if (!blank && content == 0) content = std::max(end - at_, indent_ + 1);
      if (!blank && end - at_ < content) return;
      skip_line();
    }
  }

  void flow() {
    size_t depth = 0;
    bool token_starts = true;
    for (; more() && !fault_.what; ++at_) {
      const char c = here();
      if ((c == '"' || c == '\'') && token_starts) {
        quoted(c);
        --at_;
        token_starts = false;
      } else if (c == '#' && at_ > 0 && (is_space(text_[at_ - 1]) || is_break(text_[at_ - 1]))) {
        while (more() && here() != '\n') ++at_;
        if (!more()) return;
      } else if (c == '[' || c == '{') {
        if (++depth > limits_.depth) fault("lists and maps are nested too deep");
        count();
        token_starts = true;
      } else if (c == ']' || c == '}') {
        token_starts = false;
        if (--depth == 0) {
          ++at_;
          return;
        }
      } else if (c == ',' || c == ':' || c == '?') {
        count();
        token_starts = true;
      } else if (!is_space(c) && !is_break(c)) {
        token_starts = false;
      }
    }
  }

  void count() {
    if (++flow_tokens_ > limits_.nodes) fault("there are too many values");
  }
  void fault(const char* what) {
    if (!fault_.what) fault_ = {what, place_of(text_, at_)};
  }

  std::string_view text_;
  const YamlLimits& limits_;
  size_t at_ = 0, indent_ = 0, flow_tokens_ = 0;
  YamlFault fault_;
};

}  // namespace

YamlFault check_text(std::string_view text, const YamlLimits& limits) {
  if (text.size() > limits.bytes) return {"the text is too large", {1, 1}};
  for (size_t at = 0; at < text.size();) {
    const size_t length = sequence_length(text.substr(at));
    if (length == 0) return {"the text is not UTF-8", place_of(text, at)};
    const auto c = static_cast<unsigned char>(text[at]);
    // yaml-cpp takes a byte 4 for the end of the text, and would read nothing of what follows.
    if ((c < 0x20 && c != '\n' && c != '\r' && c != '\t') || c == 0x7f)
      return {"control characters must be escaped", place_of(text, at)};
    at += length;
  }
  return FlowScan(text, limits).run();
}

}  // namespace flox::kube
