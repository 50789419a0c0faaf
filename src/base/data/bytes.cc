#include "base/data/bytes.h"

#include <openssl/evp.h>

#include "base/error.h"

namespace flox {

std::string to_hex(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (unsigned char byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

std::string from_hex(std::string_view text) {
  auto value = [&](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    fail(ErrorKind::invalid_input, "'{}' is not hexadecimal", text);
  };
  if (text.size() % 2 != 0) fail(ErrorKind::invalid_input, "'{}' is not hexadecimal: odd length", text);
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (size_t i = 0; i < text.size(); i += 2)
    bytes += static_cast<char>(value(text[i]) << 4 | value(text[i + 1]));
  return bytes;
}

std::string to_base64(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  int length =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(length));
  return text;
}

std::string from_base64(std::string_view text) {
  if (text.empty()) return {};
  if (text.size() % 4 != 0)
    fail(ErrorKind::invalid_input, "'{}' is not base64: its length is not a multiple of 4", text);
  std::string bytes(text.size() / 4 * 3, '\0');
  int length =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (length < 0) fail(ErrorKind::invalid_input, "'{}' is not base64", text);
  // EVP_DecodeBlock counts padding as zero bytes.
  size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  bytes.resize(static_cast<size_t>(length) - padding);
  // It also skips blanks, takes padding in the middle for zeros and drops bits behind the last byte: one
  // value would have many texts.
  if (to_base64(bytes) != text) fail(ErrorKind::invalid_input, "'{}' is not base64", text);
  return bytes;
}

}  // namespace flox
