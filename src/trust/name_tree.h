// All names of an owner as its timestamp has them: what somebody needs to make the proofs that go with them
// without the key that signed the timestamp, which is a mirror.
#pragma once  // Fuzzed by fuzz/signed_metadata.cc.

#include <string>
#include <string_view>
#include <vector>

#include "base/data/json.h"
#include "trust/merkle.h"

namespace flox::trust {

struct NameTree {
  static constexpr JsonLimits limits{.bytes = 16 << 20, .depth = 4, .values = 1 << 20};

  std::string owner;
  std::string timestamp;           // timestamp.json, byte by byte
  std::vector<TreeEntry> entries;  // in order; of names that the reader may not see only the hash

  // JSON in one line: {"leaves": [{"name", "sha256", "version"} or HEX…], "owner", "timestamp"}.
  std::string to_string() const;
  // Verifies nothing. Throws Error(invalid_input).
  static NameTree parse(std::string_view text, std::string_view name);
};

}  // namespace flox::trust
