// The Merkle tree over an owner's names, whose root the timestamp carries (TUF's TAP 16), so that a node gets
// a proof of a few hashes with a name instead of a snapshot file of all. Hashes are those of RFC 9162,
// section 2.1: SHA-256, 0x00 in front of leaves, 0x01 in front of nodes.
#pragma once  // Fuzzed by fuzz/signed_metadata.cc.

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/data/sha256.h"

namespace flox::trust {

// One name and its newest file. Hashed as its canonical JSON {"name", "sha256", "version"}.
struct Leaf {
  std::string name;      // "packages/hello"
  uint64_t version = 0;  // of the newest name file
  std::string sha256;    // hexadecimal, of that file's bytes
  bool operator==(const Leaf&) const = default;

  nlohmann::json to_json() const;
  static Leaf from_json(const nlohmann::json& json);  // throws Error(invalid_input)
};

// That a leaf is the index-th of a tree.
struct Proof {
  Leaf leaf;
  uint64_t index = 0;
  std::vector<Sha256Digest> hashes;  // from the leaf's sibling up

  std::string to_string() const;                                     // JSON in one line
  static Proof parse(std::string_view text, std::string_view name);  // throws Error(invalid_input)
  // Throws Error(untrusted) unless the tree of `leaves` leaves with this root (hexadecimal) has the leaf.
  void verify(std::string_view root, uint64_t leaves) const;
};

// A leaf of a whole tree, or its hash alone: of a name that whoever gets the tree is not to know.
using TreeEntry = std::variant<Leaf, Sha256Digest>;

// Leaves in the order of their names' bytes. One thread at a time.
class MerkleTree {
 public:
  MerkleTree() = default;
  // Of all entries of another tree, in their order. It stays as it is: put() and remove() are not for it.
  // Throws Error(invalid_input) for leaves that are not in order.
  explicit MerkleTree(const std::vector<TreeEntry>& entries);
  // All entries in their order; of names that are not `visible` the hash.
  std::vector<TreeEntry> entries(const std::function<bool(const std::string& name)>& visible);
  // Adds the name or replaces its leaf. A name that is there already costs the hashes on its way up; after
  // new ones, or ones that went, the next root() or proof() computes the tree anew (25,000 names: 2 hashes
  // each).
  void put(Leaf leaf);
  void remove(std::string_view name);
  size_t size() const noexcept { return levels_.empty() ? leaves_.size() : levels_.front().size(); }
  // Those with a name.
  const std::map<std::string, Leaf, std::less<>>& leaves() const noexcept { return leaves_; }

  // Hexadecimal. Of no leaves: the hash of nothing.
  std::string root();
  // Throws Error(not_found).
  Proof proof(std::string_view name);

 private:
  void build();
  void build_on(std::vector<Sha256Digest> leaves);
  size_t position_of(std::string_view name) const;

  std::map<std::string, Leaf, std::less<>> leaves_;
  std::vector<std::vector<Sha256Digest>> levels_;  // leaves' hashes first; empty: to be computed
  std::vector<std::string> order_;                 // the named leaves' names
  std::vector<size_t> positions_;                  // and where each is among all leaves
  bool is_whole_ = false;                          // made of entries
};

}  // namespace flox::trust
