// Keys of signed metadata, the roles that name them, and signatures.
#pragma once  // Fuzzed by fuzz/signed_metadata.cc.

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "nix/signature.h"

namespace flox::trust {

// An Ed25519 key.
struct Key {
  std::string name;   // for people; may be empty (check_label). No part of the id, and proves nothing
  std::string bytes;  // 32

  // The name of a key that is no label (check_label) is left out.
  static Key of(const nix::PublicKey& key);
  // SHA-256 in hexadecimal of the canonical JSON of keytype, keyval and scheme.
  std::string id() const;
  nlohmann::json to_json() const;
  static Key from_json(const nlohmann::json& json);  // throws Error(invalid_input)
  bool operator==(const Key&) const = default;
};
using Keys = std::map<std::string, Key>;  // by id

// Who may sign, and how many of them must. Key ids in the order in which they were written.
struct Role {
  std::vector<std::string> keyids;
  uint64_t threshold = 1;  // from 1 to the number of keys
  bool operator==(const Role&) const = default;
};

struct MetadataSignature {
  std::string keyid;
  std::string bytes;  // 64
  bool operator==(const MetadataSignature&) const = default;
};

// "deploy-1 (3f2a9c41)": a key for people, by name and the beginning of its id.
std::string describe_key(const std::string& keyid, const Keys& keys);

// The role's keys that validly signed the message, in the role's order. Each key counts once.
std::vector<std::string> valid_signers(std::string_view message,
                                       const std::vector<MetadataSignature>& signatures, const Keys& keys,
                                       const Role& role);
// The same. Throws Error(untrusted) for less than the threshold: "WHAT: 1 of the 2 signatures that role ROLE
// needs: …" with who did and who could sign.
std::vector<std::string> require_signers(std::string_view message,
                                         const std::vector<MetadataSignature>& signatures, const Keys& keys,
                                         const Role& role, std::string_view role_name, std::string_view what);

}  // namespace flox::trust
