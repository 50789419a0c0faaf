#include "trust/keys.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "trust/canonical_json.h"
#include "trust/members.h"
#include "trust/names.h"

namespace flox::trust {
namespace {

constexpr size_t key_size = 32;  // bytes
constexpr size_t most_told = 8;  // keys in a message

nlohmann::json identity_of(const Key& key) {
  return {{"keytype", "ed25519"}, {"scheme", "ed25519"}, {"keyval", {{"public", to_hex(key.bytes)}}}};
}

bool is_label(const std::string& text) {
  try {
    check_label(text, "name");
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

Key Key::of(const nix::PublicKey& key) {
  return {.name = is_label(key.name) ? key.name : std::string(), .bytes = key.bytes};
}

std::string Key::id() const { return to_hex(bytes_of(sha256(canonical_json(identity_of(*this))))); }

nlohmann::json Key::to_json() const {
  nlohmann::json json = identity_of(*this);
  if (!name.empty()) json["name"] = name;
  return json;
}

Key Key::from_json(const nlohmann::json& json) {
  Members members(json);
  members.literal("keytype", "ed25519");
  members.literal("scheme", "ed25519");
  Members value(members.at("keyval"));
  Key key{.name = {}, .bytes = value.hex("public", key_size)};
  value.end();
  if (members.has("name")) {
    key.name = members.text("name");
    check_label(key.name, "the key's name");
  }
  members.end();
  return key;
}

std::string describe_key(const std::string& keyid, const Keys& keys) {
  const auto key = keys.find(keyid);
  const std::string start = keyid.substr(0, 8);
  return key == keys.end() || key->second.name.empty() ? start
                                                       : fmt::format("{} ({})", key->second.name, start);
}

std::vector<std::string> valid_signers(std::string_view message,
                                       const std::vector<MetadataSignature>& signatures, const Keys& keys,
                                       const Role& role) {
  std::vector<std::string> signers;
  for (const std::string& id : role.keyids) {
    const auto key = keys.find(id);
    if (key == keys.end() || std::ranges::find(signers, id) != signers.end()) continue;
    const auto signature = std::ranges::find(signatures, id, &MetadataSignature::keyid);
    if (signature != signatures.end() &&
        nix::verifies({.name = {}, .bytes = key->second.bytes}, message, signature->bytes))
      signers.push_back(id);
  }
  return signers;
}

std::vector<std::string> require_signers(std::string_view message,
                                         const std::vector<MetadataSignature>& signatures, const Keys& keys,
                                         const Role& role, std::string_view role_name,
                                         std::string_view what) {
  std::vector<std::string> signers = valid_signers(message, signatures, keys, role);
  if (signers.size() >= role.threshold) return signers;
  std::vector<std::string> have, could;
  for (const std::string& id : signers) have.push_back(describe_key(id, keys));
  for (const std::string& id : role.keyids)
    if (could.size() < most_told && std::ranges::find(signers, id) == signers.end())
      could.push_back(describe_key(id, keys));
  fail(ErrorKind::untrusted, "{}: {} of the {} signatures that role {} needs{}{}; it lacks one of {}", what,
       signers.size(), role.threshold, role_name, have.empty() ? "" : ", by ", fmt::join(have, ", "),
       fmt::join(could, ", "));
}

}  // namespace flox::trust
