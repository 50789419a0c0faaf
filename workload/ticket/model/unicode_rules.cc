#include "ticket/model/unicode_rules.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <span>

namespace ticket::model {
namespace {

struct Range {
  UChar32 first, last;
};

// What Unicode 16 added, for an ICU that does not know it yet (Debian 12 has Unicode 15).
constexpr auto letters_of_16 = std::to_array<Range>(
    {{0x1c89, 0x1c8a},   {0xa7cb, 0xa7cd},   {0xa7da, 0xa7dc},   {0x105c0, 0x105f3}, {0x10d4a, 0x10d65},
     {0x10d6f, 0x10d85}, {0x10ec2, 0x10ec4}, {0x11380, 0x11389}, {0x1138b, 0x1138b}, {0x1138e, 0x1138e},
     {0x11390, 0x113b5}, {0x113b7, 0x113b7}, {0x113d1, 0x113d1}, {0x113d3, 0x113d3}, {0x11bc0, 0x11be0},
     {0x13460, 0x143fa}, {0x16100, 0x1611d}, {0x16d40, 0x16d6c}, {0x18cff, 0x18cff}, {0x1e5d0, 0x1e5ed},
     {0x1e5f0, 0x1e5f0}, {0x2ebf0, 0x2ee5d}});
constexpr auto numbers_of_16 = std::to_array<Range>({{0x10d40, 0x10d49},
                                                     {0x116d0, 0x116e3},
                                                     {0x11bf0, 0x11bf9},
                                                     {0x16130, 0x16139},
                                                     {0x16d70, 0x16d79},
                                                     {0x1ccf0, 0x1ccf9},
                                                     {0x1e5f1, 0x1e5fa}});
constexpr auto ideographs = std::to_array<Range>({{0x3400, 0x4dbf},
                                                  {0x4e00, 0x9fff},
                                                  {0xf900, 0xfaff},
                                                  {0x20000, 0x2a6df},
                                                  {0x2a700, 0x2b73f},
                                                  {0x2b740, 0x2b81f},
                                                  {0x2b920, 0x2ceaf},  // meant 2b820; every BERT has it so
                                                  {0x2f800, 0x2fa1f}});

bool contains(std::span<const Range> ranges, UChar32 c) {
  auto after = std::ranges::upper_bound(ranges, c, {}, &Range::first);
  return after != ranges.begin() && c <= std::prev(after)->last;
}

// The version of Unicode that first had the character; 0 if ICU knows none.
int age(UChar32 c) {
  UVersionInfo version;
  u_charAge(c, version);
  return version[0];
}
bool in_unicode_8(UChar32 c) { return age(c) <= 8; }

}  // namespace

std::string_view valid_utf8(std::string_view text, std::string& buffer) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const auto size = static_cast<int64_t>(text.size());
  int64_t good = 0;  // how much is known to be right
  bool copied = false;
  for (int64_t at = 0; at < size;) {
    int64_t start = at;
    if (bytes[at] < 0x80) {
      ++at;
      continue;
    }
    UChar32 c;
    U8_NEXT(bytes, at, size, c);
    if (c >= 0) continue;
    if (!copied) buffer.clear();
    copied = true;
    buffer.append(text.substr(static_cast<size_t>(good), static_cast<size_t>(start - good))).append("\uFFFD");
    good = at;
  }
  if (!copied) return text;
  buffer.append(text.substr(static_cast<size_t>(good)));
  return buffer;
}

bool is_white_space(UChar32 c) { return u_isUWhiteSpace(c); }

namespace bert {

bool is_dropped(UChar32 c) {
  if (c == '\t' || c == '\n' || c == '\r') return false;
  if (c == 0 || c == 0xfffd) return true;
  constexpr uint32_t dropped = U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK;
  return (U_GET_GC_MASK(c) & dropped) != 0 && in_unicode_8(c);
}

bool is_accent(UChar32 c) {
  if (c == 0x1734) return true;                                                 // Mc since Unicode 14
  if (c == 0x1885 || c == 0x1886 || c == 0xa9bd || c == 0x111c9) return false;  // Mn only since then
  return u_charType(c) == U_NON_SPACING_MARK && in_unicode_8(c);
}

bool is_punctuation(UChar32 c) {
  if (c < 0x80) return c > ' ' && c < 0x7f && !u_isalnum(c);
  if (c == 0x166d || c == 0x111c9) return true;  // P in Unicode 8
  return u_ispunct(c) && in_unicode_8(c);
}

bool is_ideograph(UChar32 c) { return contains(ideographs, c); }

UChar32 to_lower(UChar32 c) {
  if (c >= 0x10d50 && c <= 0x10d65) return c + 0x20;
  switch (c) {
    case 0x1c89:
    case 0xa7cc:
    case 0xa7da:
      return c + 1;
    case 0xa7cb:
      return 0x264;
    case 0xa7dc:
      return 0x19b;
    default:
      return age(c) <= 16 ? u_tolower(c) : c;
  }
}

}  // namespace bert

namespace byte_level {

bool is_letter(UChar32 c) {
  if ((U_GET_GC_MASK(c) & U_GC_L_MASK) != 0) return age(c) <= 16;
  return contains(letters_of_16, c);
}

bool is_number(UChar32 c) {
  if ((U_GET_GC_MASK(c) & U_GC_N_MASK) != 0) return age(c) <= 16;
  return contains(numbers_of_16, c);
}

}  // namespace byte_level
}  // namespace ticket::model
