#include "nix/base32.h"

#include <array>
#include <cstdint>

#include "base/error.h"

namespace flox::nix {
namespace {

constexpr std::string_view alphabet = "0123456789abcdfghijklmnpqrsvwxyz";

constexpr std::array<int8_t, 256> make_values() {
  std::array<int8_t, 256> values{};
  values.fill(-1);
  for (size_t i = 0; i < alphabet.size(); ++i)
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<int8_t>(i);
  return values;
}
constexpr auto values = make_values();

}  // namespace

bool is_base32(char c) noexcept { return values[static_cast<unsigned char>(c)] >= 0; }

std::string to_base32(std::string_view bytes) {
  std::string text;
  text.reserve(base32_length(bytes.size()));
  for (size_t n = base32_length(bytes.size()); n-- > 0;) {
    const size_t byte = n * 5 / 8;
    const size_t shift = n * 5 % 8;
    unsigned digit = static_cast<unsigned char>(bytes[byte]) >> shift;
    if (byte + 1 < bytes.size())
      digit |= static_cast<unsigned>(static_cast<unsigned char>(bytes[byte + 1])) << (8 - shift);
    text += alphabet[digit & 31];
  }
  return text;
}

std::string from_base32(std::string_view text, size_t bytes) {
  if (text.size() != base32_length(bytes))
    fail(ErrorKind::invalid_input, "'{}' is not base-32 of {} bytes: it has {} characters instead of {}",
         text, bytes, text.size(), base32_length(bytes));
  std::string result(bytes, '\0');
  for (size_t n = 0; n < text.size(); ++n) {
    const char c = text[text.size() - 1 - n];
    const int value = values[static_cast<unsigned char>(c)];
    if (value < 0)
      fail(ErrorKind::invalid_input, "'{}' is not base-32: the character '{}' does not belong to it", text,
           c);
    const size_t byte = n * 5 / 8;
    const size_t shift = n * 5 % 8;
    const unsigned bits = static_cast<unsigned>(value) << shift;
    result[byte] = static_cast<char>(static_cast<unsigned char>(result[byte]) | (bits & 0xff));
    if (bits >> 8 == 0) continue;
    if (byte + 1 >= bytes)
      fail(ErrorKind::invalid_input, "'{}' is not base-32 of {} bytes: too many bits are set", text, bytes);
    result[byte + 1] = static_cast<char>(bits >> 8);
  }
  return result;
}

}  // namespace flox::nix
