#include "ticket/model/byte_level_text.h"

#include <unicode/utf8.h>

#include <algorithm>
#include <cstdint>

#include "ticket/model/unicode_rules.h"

namespace ticket::model {
namespace {

enum class Kind : uint8_t { space, letter, number, other };

Kind kind_of(UChar32 c) {
  if (c < 0x80) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return Kind::letter;
    if (c >= '0' && c <= '9') return Kind::number;
    return c == ' ' || (c >= '\t' && c <= '\r') ? Kind::space : Kind::other;
  }
  if (byte_level::is_letter(c)) return Kind::letter;
  if (byte_level::is_number(c)) return Kind::number;
  return is_white_space(c) ? Kind::space : Kind::other;
}

// A position in the text and what stands there.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) { look(0); }
  bool at_end() const { return at_ == text_.size(); }
  size_t at() const { return at_; }
  Kind kind() const { return kind_; }
  void advance() { look(next_); }
  void look(size_t at) {
    at_ = at;
    auto next = static_cast<int64_t>(at);
    if (at_end()) return;
    UChar32 c;
    U8_NEXT_OR_FFFD(reinterpret_cast<const uint8_t*>(text_.data()), next, static_cast<int64_t>(text_.size()),
                    c);
    kind_ = kind_of(c);
    next_ = static_cast<size_t>(next);
  }

 private:
  std::string_view text_;
  size_t at_ = 0, next_ = 0;
  Kind kind_ = Kind::other;
};

// The length of 's, 't, 're, 've, 'm, 'll or 'd at the start of `text`; 0 if it is none.
size_t contraction(std::string_view text) {
  if (text.size() < 2 || text[0] != '\'') return 0;
  if (std::string_view("stmd").find(text[1]) != std::string_view::npos) return 2;
  std::string_view two = text.substr(1, 2);
  return two == "re" || two == "ve" || two == "ll" ? 3 : 0;
}

}  // namespace

bool for_each_byte_level_word(std::string_view text, const std::function<bool(std::string_view)>& word) {
  Cursor cursor(text);
  while (!cursor.at_end()) {
    size_t start = cursor.at();
    if (size_t size = contraction(text.substr(start)); size > 0) {
      cursor.look(start + size);
    } else {
      // One blank belongs to the word after it.
      if (text[start] == ' ' && start + 1 < text.size()) cursor.advance();
      if (cursor.kind() != Kind::space) {
        for (Kind kind = cursor.kind(); !cursor.at_end() && cursor.kind() == kind;) cursor.advance();
      } else {
        // White space: all of it at the end of the text, otherwise all but the last character, unless that is
        // all.
        cursor.look(start);
        size_t last = start;
        for (; !cursor.at_end() && cursor.kind() == Kind::space; cursor.advance()) last = cursor.at();
        if (!cursor.at_end() && last > start) cursor.look(last);
      }
    }
    if (!word(text.substr(start, cursor.at() - start))) return false;
  }
  return true;
}

const std::array<std::string, 256>& byte_symbols() {
  static const std::array<std::string, 256> symbols = [] {
    std::array<std::string, 256> result;
    UChar32 next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      bool printable = (byte > ' ' && byte < 0x7f) || (byte > 0xa0 && byte != 0xad);
      UChar32 c = printable ? byte : next++;
      std::array<char, U8_MAX_LENGTH> bytes;
      int32_t size = 0;
      U8_APPEND_UNSAFE(bytes.data(), size, c);
      result[static_cast<size_t>(byte)].assign(bytes.data(), static_cast<size_t>(size));
    }
    return result;
  }();
  return symbols;
}

std::string bytes_of_token(std::string_view token) {
  static const std::array<int16_t, 0x180> bytes = [] {
    std::array<int16_t, 0x180> result;
    result.fill(-1);
    for (int byte = 0; byte < 256; ++byte) {
      const std::string& symbol = byte_symbols()[static_cast<size_t>(byte)];
      UChar32 c;
      U8_GET_UNSAFE(reinterpret_cast<const uint8_t*>(symbol.data()), 0, c);
      result[static_cast<size_t>(c)] = static_cast<int16_t>(byte);
    }
    return result;
  }();
  std::string result;
  for (size_t at = 0; at < token.size();) {
    UChar32 c;
    U8_NEXT_OR_FFFD(reinterpret_cast<const uint8_t*>(token.data()), at, token.size(), c);
    if (static_cast<size_t>(c) >= bytes.size() || bytes[static_cast<size_t>(c)] < 0)
      return std::string(token);
    result += static_cast<char>(bytes[static_cast<size_t>(c)]);
  }
  return result;
}

}  // namespace ticket::model
