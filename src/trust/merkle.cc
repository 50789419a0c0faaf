#include "trust/merkle.h"

#include <algorithm>

#include "base/data/bytes.h"
#include "base/data/json.h"
#include "base/error.h"
#include "trust/canonical_json.h"
#include "trust/members.h"
#include "trust/names.h"

namespace flox::trust {
namespace {

constexpr size_t most_hashes = 53;  // of a tree of 2^53 leaves
constexpr JsonLimits proof_limits{.bytes = 16 << 10, .depth = 4, .values = 200};

Sha256Digest hash_of(const Leaf& leaf) {
  Sha256 hash;
  hash.update(std::string_view("\0", 1));
  hash.update(canonical_json(leaf.to_json()));
  return hash.finish();
}

Sha256Digest hash_of(const Sha256Digest& left, const Sha256Digest& right) {
  std::array<char, 1 + 2 * sizeof(Sha256Digest)> node{'\1'};
  std::ranges::copy(left, node.begin() + 1);
  std::ranges::copy(right, node.begin() + 1 + sizeof(Sha256Digest));
  return sha256({node.data(), node.size()});
}

}  // namespace

nlohmann::json Leaf::to_json() const { return {{"name", name}, {"sha256", sha256}, {"version", version}}; }

Leaf Leaf::from_json(const nlohmann::json& json) {
  Members members(json);
  Leaf leaf{.name = members.text("name"),
            .version = members.number("version", 1),
            .sha256 = to_hex(members.hex("sha256", sizeof(Sha256Digest)))};
  members.end();
  check_name(leaf.name);
  return leaf;
}

std::string Proof::to_string() const {
  nlohmann::json list = nlohmann::json::array();
  for (const Sha256Digest& hash : hashes) list.push_back(to_hex(bytes_of(hash)));
  return nlohmann::json{{"hashes", list}, {"index", index}, {"leaf", leaf.to_json()}}.dump() + "\n";
}

Proof Proof::parse(std::string_view text, std::string_view name) {
  const nlohmann::json document = parse_json(text, name, proof_limits);
  return in_context(name, [&] {
    Members members(document);
    Proof proof{.leaf = in_context("leaf", [&] { return Leaf::from_json(members.object("leaf")); }),
                .index = members.number("index", 0),
                .hashes = {}};
    for (const std::string& hex : members.texts("hashes", most_hashes)) {
      check_hex(hex, sizeof(Sha256Digest), "a hash");
      std::ranges::copy(from_hex(hex), proof.hashes.emplace_back().begin());
    }
    members.end();
    return proof;
  });
}

void Proof::verify(std::string_view root, uint64_t leaves) const {
  // RFC 9162, section 2.1.3.2.
  uint64_t position = index, last = leaves - 1;
  bool good = index < leaves;
  Sha256Digest hash = hash_of(leaf);
  for (const Sha256Digest& sibling : hashes) {
    if (!good || last == 0) {
      good = false;
      break;
    }
    if (position % 2 == 1 || position == last) {
      hash = hash_of(sibling, hash);
      while (position % 2 == 0 && position != 0) {
        position /= 2;
        last /= 2;
      }
    } else {
      hash = hash_of(hash, sibling);
    }
    position /= 2;
    last /= 2;
  }
  if (!good || last != 0 || to_hex(bytes_of(hash)) != root)
    fail(ErrorKind::untrusted,
         "the proof that {} version {} is among the names of the timestamp does not hold", leaf.name,
         leaf.version);
}

MerkleTree::MerkleTree(const std::vector<TreeEntry>& entries) : is_whole_(true) {
  std::vector<Sha256Digest> hashes;
  hashes.reserve(entries.size());
  for (const TreeEntry& entry : entries) {
    if (const auto* hash = std::get_if<Sha256Digest>(&entry)) {
      hashes.push_back(*hash);
      continue;
    }
    const Leaf& leaf = std::get<Leaf>(entry);
    if (!order_.empty() && order_.back() >= leaf.name)
      fail(ErrorKind::invalid_input, "{} is not in the order of names", leaf.name);
    order_.push_back(leaf.name);
    positions_.push_back(hashes.size());
    hashes.push_back(hash_of(leaf));
    leaves_.emplace(leaf.name, leaf);
  }
  build_on(std::move(hashes));
}

std::vector<TreeEntry> MerkleTree::entries(const std::function<bool(const std::string& name)>& visible) {
  if (levels_.empty()) build();
  std::vector<TreeEntry> result(levels_.front().begin(), levels_.front().end());
  for (size_t i = 0; i < order_.size(); ++i)
    if (visible(order_[i])) result[positions_[i]] = leaves_.find(order_[i])->second;
  return result;
}

size_t MerkleTree::position_of(std::string_view name) const {
  return positions_[static_cast<size_t>(std::ranges::lower_bound(order_, name) - order_.begin())];
}

void MerkleTree::put(Leaf leaf) {
  if (is_whole_) fail(ErrorKind::internal, "a whole tree of names stays as it is");
  const auto found = leaves_.find(leaf.name);
  if (found == leaves_.end()) {
    std::string name = leaf.name;
    leaves_.emplace(std::move(name), std::move(leaf));
    levels_.clear();
    return;
  }
  found->second = std::move(leaf);
  if (levels_.empty()) return;
  size_t at = position_of(found->first);
  levels_[0][at] = hash_of(found->second);
  for (size_t level = 1; level < levels_.size(); ++level) {
    const auto& below = levels_[level - 1];
    at /= 2;
    levels_[level][at] =
        2 * at + 1 < below.size() ? hash_of(below[2 * at], below[2 * at + 1]) : below[2 * at];
  }
}

void MerkleTree::remove(std::string_view name) {
  if (is_whole_) fail(ErrorKind::internal, "a whole tree of names stays as it is");
  if (const auto found = leaves_.find(name); found != leaves_.end()) {
    leaves_.erase(found);
    levels_.clear();
  }
}

void MerkleTree::build() {
  order_.clear();
  positions_.clear();
  std::vector<Sha256Digest> level;
  for (const auto& [name, leaf] : leaves_) {
    order_.push_back(name);
    positions_.push_back(level.size());
    level.push_back(hash_of(leaf));
  }
  build_on(std::move(level));
}

void MerkleTree::build_on(std::vector<Sha256Digest> level) {
  // A last one without a sibling goes up as it is, which makes the shape of RFC 9162: the left subtree is the
  // largest full one.
  levels_.push_back(std::move(level));
  while (levels_.back().size() > 1) {
    const auto& below = levels_.back();
    std::vector<Sha256Digest> above;
    for (size_t i = 0; i < below.size(); i += 2)
      above.push_back(i + 1 < below.size() ? hash_of(below[i], below[i + 1]) : below[i]);
    levels_.push_back(std::move(above));
  }
}

std::string MerkleTree::root() {
  if (levels_.empty()) build();
  return to_hex(bytes_of(levels_.front().empty() ? sha256({}) : levels_.back().front()));
}

Proof MerkleTree::proof(std::string_view name) {
  const auto found = leaves_.find(name);
  if (found == leaves_.end()) fail(ErrorKind::not_found, "there is no {}", name);
  if (levels_.empty()) build();
  size_t at = position_of(found->first);
  Proof proof{.leaf = found->second, .index = at, .hashes = {}};
  for (size_t level = 0; level + 1 < levels_.size(); ++level, at /= 2)
    if (const size_t sibling = at ^ 1; sibling < levels_[level].size())
      proof.hashes.push_back(levels_[level][sibling]);
  return proof;
}

}  // namespace flox::trust
