#include "base/printable.h"

#include <cstdint>

namespace flox {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD

// Bytes of the UTF-8 character that the text starts with, and the character; 0 bytes if it is none (RFC
// 3629).
size_t decode(std::string_view text, uint32_t& character) {
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(text[at]); };
  if (byte(0) < 0x80) {
    character = byte(0);
    return 1;
  }
  const size_t size = byte(0) >= 0xf0 && byte(0) < 0xf5   ? 4
                      : byte(0) >= 0xe0 && byte(0) < 0xf0 ? 3
                      : byte(0) >= 0xc2 && byte(0) < 0xe0 ? 2
                                                          : 0;
  if (size == 0 || text.size() < size) return 0;
  character = byte(0) & (0xffU >> (size + 1));
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    character = character << 6 | (byte(i) & 0x3fU);
  }
  const bool overlong = (size == 3 && character < 0x800) || (size == 4 && character < 0x10000);
  return overlong || character > 0x10ffff || (character >= 0xd800 && character < 0xe000) ? 0 : size;
}

bool is_control(uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0)             // C0, DEL, C1
         || c == 0x61c || c == 0x200e || c == 0x200f     // marks of direction
         || (c >= 0x2028 && c <= 0x202e)                 // line and paragraph separators, embeddings
         || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff  // isolates, byte order mark
         || (c >= 0xe0000 && c <= 0xe007f);              // tags
}

std::string clean(std::string_view text, size_t limit, bool keep_lines) {
  std::string result;
  result.reserve(text.size());
  for (size_t count = 0; !text.empty(); ++count) {
    if (count == limit) return result + "…";
    uint32_t character = 0;
    const size_t size = decode(text, character);
    const bool kept =
        size != 0 && (!is_control(character) || (keep_lines && (character == '\n' || character == '\t')));
    result += kept ? text.substr(0, size) : replacement;
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return result;
}

}  // namespace

std::string printable(std::string_view text, size_t limit) { return clean(text, limit, false); }
std::string printable_lines(std::string_view text, size_t limit) { return clean(text, limit, true); }

}  // namespace flox
