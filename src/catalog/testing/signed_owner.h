// An owner with keys of its own, for tests: its files, signed.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "trust/merkle.h"
#include "trust/signer.h"
#include "trust/verifier.h"

namespace flox::catalog {

class SignedOwner {
 public:
  explicit SignedOwner(std::string name = "acme", std::vector<std::string> paths = {"*/*"})
      : name_(std::move(name)), paths_(std::move(paths)) {}

  const std::string& name() const { return name_; }
  nix::SecretKey root_key = nix::SecretKey::generate("root-1");
  nix::SecretKey targets_key = nix::SecretKey::generate("targets-1");
  nix::SecretKey publisher = nix::SecretKey::generate("alice-1");
  nix::SecretKey online = nix::SecretKey::generate("catalog");
  trust::Time expires = trust::now() + std::chrono::hours(24);

  template <typename T>
  static std::string sign(T content, const nix::SecretKey& key) {
    auto file = trust::Signed<T>::of(std::move(content));
    const trust::Key public_key = trust::Key::of(key.public_key());
    file.add(trust::Signer::of(key)->sign(file.message, {{public_key.id(), public_key}}).value());
    return file.to_string();
  }

  std::string root(uint64_t version = 1) const {
    trust::Root root;
    fill(root, version);
    root.root = role(root.keys, root_key);
    root.targets = role(root.keys, targets_key);
    root.timestamp = role(root.keys, online);
    root.snapshot = root.timestamp;
    return sign(std::move(root), root_key);
  }
  // The publisher may sign what the patterns cover.
  std::string targets(uint64_t version = 1) const {
    trust::Targets targets;
    fill(targets, version);
    trust::DelegatedRole delegated;
    static_cast<trust::Role&>(delegated) = role(targets.keys, publisher);
    delegated.name = "publishers";
    delegated.paths = paths_;
    targets.roles.push_back(std::move(delegated));
    return sign(std::move(targets), targets_key);
  }
  trust::NameFile name_file(std::string name, uint64_t version,
                            std::map<std::string, trust::Target> files) const {
    trust::NameFile file;
    fill(file, version);
    file.name = std::move(name);
    file.targets = std::move(files);
    return file;
  }
  // Of one name file, as a catalog that knows nothing else would send it.
  trust::Evidence evidence(const trust::NameFile& file, uint64_t timestamp_version = 1) const {
    trust::Evidence evidence;
    evidence.owner = name_;
    evidence.targets = targets();
    evidence.name_file = sign(file, publisher);
    trust::MerkleTree tree;
    tree.put({.name = file.name,
              .version = file.version,
              .sha256 = to_hex(bytes_of(sha256(evidence.name_file)))});
    trust::Timestamp timestamp;
    fill(timestamp, timestamp_version);
    timestamp.root_version = 1;
    timestamp.targets_version = 1;
    timestamp.merkle_root = tree.root();
    timestamp.merkle_leaves = tree.size();
    evidence.timestamp = sign(std::move(timestamp), online);
    evidence.proof = tree.proof(file.name).to_string();
    return evidence;
  }

 private:
  void fill(trust::Header& header, uint64_t version) const {
    header.owner = name_;
    header.version = version;
    header.expires = expires;
  }
  static trust::Role role(trust::Keys& keys, const nix::SecretKey& key) {
    const trust::Key public_key = trust::Key::of(key.public_key());
    keys.emplace(public_key.id(), public_key);
    trust::Role role;
    role.keyids = {public_key.id()};
    return role;
  }

  std::string name_;
  std::vector<std::string> paths_;
};

}  // namespace flox::catalog
