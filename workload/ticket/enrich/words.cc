#include "ticket/enrich/words.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <optional>

namespace ticket {
namespace {

bool is_space(UChar32 c) { return u_isUWhiteSpace(c) || (c >= 0x1c && c <= 0x1f); }

// Goes through a text word by word.
class Words {
 public:
  explicit Words(std::string_view text) : text_(text) {}
  std::optional<std::string_view> next() {
    int32_t begin = skip(true);
    if (begin == static_cast<int32_t>(text_.size())) return std::nullopt;
    int32_t end = skip(false);
    return text_.substr(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
  }

 private:
  // Moves on over what is white space, or over what is not; returns where it stands then.
  int32_t skip(bool space) {
    const auto length = static_cast<int32_t>(text_.size());
    while (at_ < length) {
      int32_t next = at_;
      UChar32 c;
      U8_NEXT(text_.data(), next, length, c);
      if (is_space(c) != space) break;
      at_ = next;
    }
    return at_;
  }
  std::string_view text_;
  int32_t at_ = 0;
};

}  // namespace

std::string stripped(std::string_view text) {
  Words words(text);
  auto first = words.next();
  if (!first) return "";
  std::string_view last = *first;
  while (auto word = words.next()) last = *word;
  return {first->data(), last.data() + last.size()};
}

bool is_blank(std::string_view text) { return !Words(text).next(); }

size_t word_count(std::string_view text) {
  size_t count = 0;
  for (Words words(text); words.next();) ++count;
  return count;
}

std::string first_words(std::string_view text, size_t count) {
  Words words(text);
  std::string result;
  for (size_t i = 0; i < count; ++i) {
    auto word = words.next();
    if (!word) return std::string(text);
    if (i > 0) result += ' ';
    result += *word;
  }
  return words.next() ? result : std::string(text);
}

std::string first_characters(std::string_view text, size_t count) {
  const auto length = static_cast<int32_t>(text.size());
  int32_t at = 0;
  for (size_t i = 0; i < count && at < length; ++i) {
    UChar32 c;
    U8_NEXT(text.data(), at, length, c);
  }
  return std::string(text.substr(0, static_cast<size_t>(at)));
}

}  // namespace ticket
