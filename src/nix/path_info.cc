#include "nix/path_info.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/error.h"
#include "nix/base32.h"

namespace flox::nix {

std::string PathInfo::fingerprint() const {
  std::string text = fmt::format("1;{};{};{};", path.to_string(), hash_text(nar_hash), nar_size);
  bool first = true;
  for (const StorePath& reference : references) {
    if (!first) text += ",";
    first = false;
    text += reference.to_string();
  }
  return text;
}

std::string hash_text(const Sha256Digest& hash) { return "sha256:" + to_base32(bytes_of(hash)); }

Sha256Digest parse_hash(std::string_view text) {
  return in_context(fmt::format("hash '{}'", text), [&] {
    if (!text.starts_with("sha256:") && !text.starts_with("sha256-"))
      fail(ErrorKind::invalid_input, "it does not start with 'sha256:'; no other algorithm is supported");
    const bool sri = text[6] == '-';
    const std::string_view digits = text.substr(7);
    std::string bytes;
    if (!sri && digits.size() == 64) {
      bytes = from_hex(digits);
    } else if (!sri && digits.size() == 52) {
      bytes = from_base32(digits, 32);
    } else if (digits.size() == 44) {
      bytes = from_base64(digits);
    }
    Sha256Digest hash;
    if (bytes.size() != hash.size())
      fail(ErrorKind::invalid_input, "it has the wrong length for SHA-256 in hexadecimal, base-32 or base64");
    std::ranges::copy(bytes, hash.begin());
    return hash;
  });
}

}  // namespace flox::nix
