// Examples that several tests read.
#pragma once

#include <string_view>

#include "nix/hash.h"

namespace flox::nix {

inline Hash hash_of(HashAlgorithm algorithm, std::string_view data) {
  Hasher hasher(algorithm);
  hasher.update(data);
  return hasher.finish();
}

inline constexpr std::string_view narinfo_text =
    "StorePath: /nix/store/ngbzp18yw7v0cnd1fv51bpsx3sbn24ys-tree\n"
    "URL: nar/1.nar.zst\n"
    "Compression: zstd\n"
    "FileHash: sha256:00xyyr3fi8l6hb839bv3f7yb86yjv7xi1cgh1xnhipym4asvb4aq\n"
    "FileSize: 77\n"
    "NarHash: sha256:04zwf782yjwnh3q6hz5izfd6jyip8kgw6g6yj43fiqhbyhdd0dqw\n"
    "NarSize: 1064\n"
    "References: 0fp3zp4kshpx9nhv5c1vnibdpdp7ah86-foo ngbzp18yw7v0cnd1fv51bpsx3sbn24ys-tree\n"
    "Deriver: 12wigjpizrn8axaqxj288q1b751qmwya-a.drv\n"
    "Sig: a:b\n"
    "Sig: c:d\n"
    "CA: fixed:r:sha256:04zwf782yjwnh3q6hz5izfd6jyip8kgw6g6yj43fiqhbyhdd0dqw\n";

}  // namespace flox::nix
