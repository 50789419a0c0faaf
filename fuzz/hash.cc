// Hashes as narinfo files, lockfiles and Nix write them: hexadecimal, base-32, base64, SRI.
#include "base/data/bytes.h"
#include "fuzz.h"
#include "nix/path_info.h"

namespace flox::fuzz::of_hash {

void one(std::string_view input) {
  nix::Hash any;
  if (accepts([&] { any = nix::Hash::parse(input); }))
    require(nix::Hash::parse(any.to_text()) == any, "a hash of any algorithm keeps its value");
  Sha256Digest hash;
  if (!accepts([&] { hash = nix::parse_hash(input); })) return;
  const std::string base64 = to_base64(bytes_of(hash));
  require(nix::parse_hash(nix::hash_text(hash)) == hash, "its text has the same value");
  require(nix::parse_hash("sha256:" + to_hex(bytes_of(hash))) == hash, "so has hexadecimal");
  require(nix::parse_hash("sha256-" + base64) == hash, "so has SRI");
  if (input.size() == 7 + 44) require(input.substr(7) == base64, "a hash has one text in base64");
}

}  // namespace flox::fuzz::of_hash
