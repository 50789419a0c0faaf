#include "nix/path_info.h"

#include <algorithm>

#include "base/error.h"
#include "nix/hash.h"

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

std::string hash_text(const Sha256Digest& hash) {
  return Hash{.algorithm = HashAlgorithm::sha256, .bytes = std::string(bytes_of(hash))}.to_text();
}

Sha256Digest parse_hash(std::string_view text) {
  const Hash hash = Hash::parse(text);
  if (hash.algorithm != HashAlgorithm::sha256)
    fail(ErrorKind::invalid_input, "hash '{}': it is not of sha256; no other algorithm is supported here",
         text);
  Sha256Digest digest;
  std::ranges::copy(hash.bytes, digest.begin());
  return digest;
}

}  // namespace flox::nix
