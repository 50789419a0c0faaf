// An owner with a repository, for tests: keys, root, delegations, name files, and what a catalog would send.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "nix/signature.h"
#include "trust/merkle.h"
#include "trust/metadata.h"
#include "trust/signer.h"
#include "trust/verifier.h"

namespace flox::trust::testing {

// Signs with all of these keys, whether a role names them or not.
template <typename T>
std::string signed_by(T content, const std::vector<nix::SecretKey>& keys) {
  auto file = Signed<T>::of(std::move(content));
  for (const nix::SecretKey& key : keys) {
    const Key own = Key::of(key.public_key());
    file.add(*Signer::of(key)->sign(file.message, {{own.id(), own}}));
  }
  return file.to_string();
}

inline nix::SecretKey key(std::string_view name) { return nix::SecretKey::generate(name); }

inline Role add_role(Keys& keys, const std::vector<nix::SecretKey>& members, uint64_t threshold = 1) {
  Role role{.keyids = {}, .threshold = threshold};
  for (const nix::SecretKey& member : members) {
    const Key own = Key::of(member.public_key());
    keys.emplace(own.id(), own);
    role.keyids.push_back(own.id());
  }
  return role;
}

struct TestOwner {
  std::string owner;
  Time now = parse_time("2027-01-31T12:00:00Z");
  nix::SecretKey root_key = key("root-1"), targets_key = key("targets-1"), online_key = key("catalog-1"),
                 signing_key = key("alice-1");
  Root root;
  Targets targets;
  Timestamp timestamp;
  std::map<std::string, std::string> name_files;
  MerkleTree tree;

  explicit TestOwner(std::string name = "acme") : owner(std::move(name)) {
    head(root);
    root.root = add_role(root.keys, {root_key});
    root.targets = add_role(root.keys, {targets_key});
    root.snapshot = root.timestamp = add_role(root.keys, {online_key});
    head(targets);
    delegate("publishers", {"packages/*", "environments/*"}, {signing_key});
    head(timestamp);
    timestamp.expires = now + default_timestamp_life;
  }

  void head(Header& header) const {
    header.owner = owner;
    header.version = 1;
    header.expires = now + std::chrono::days(365);
  }
  DelegatedRole& delegate(const std::string& name, std::vector<std::string> paths,
                          const std::vector<nix::SecretKey>& keys, uint64_t threshold = 1) {
    DelegatedRole role;
    static_cast<Role&>(role) = add_role(targets.keys, keys, threshold);
    role.name = name;
    role.paths = std::move(paths);
    return targets.roles.emplace_back(std::move(role));
  }
  std::string root_text() const { return signed_by(root, {root_key}); }

  // The name's next version with these targets, and a new timestamp.
  void publish(const std::string& name, std::map<std::string, Target> files,
               std::vector<nix::SecretKey> keys = {}) {
    NameFile file;
    head(file);
    file.name = name;
    file.targets = std::move(files);
    const auto before = tree.leaves().find(name);
    file.version = before == tree.leaves().end() ? 1 : before->second.version + 1;
    put(file, signed_by(file, keys.empty() ? std::vector{signing_key} : keys));
  }
  void put(const NameFile& file, const std::string& text) {
    name_files[file.name] = text;
    tree.put({.name = file.name, .version = file.version, .sha256 = to_hex(bytes_of(sha256(text)))});
    ++timestamp.version;
  }

  Evidence evidence(const std::string& name) {
    timestamp.root_version = root.version;
    timestamp.targets_version = targets.version;
    timestamp.merkle_root = tree.root();
    timestamp.merkle_leaves = tree.size();
    return {.owner = owner,
            .roots = {},
            .targets = signed_by(targets, {targets_key}),
            .timestamp = signed_by(timestamp, {online_key}),
            .proof = tree.proof(name).to_string(),
            .name_file = name_files.at(name)};
  }
};

inline PackageRecord hello(const std::string& version = "2.12") {
  return {.name = "hello",
          .version = version,
          .system = "x86_64-linux",
          .variant = "",
          .outputs = {{"out", "/nix/store/i9pmrzmpshapij2kin22pff6fc2adavx-hello-" + version}}};
}

}  // namespace flox::trust::testing
