// All valid paths and their references in memory, as they were at one moment: used for questions about more
// than a few paths. Reading 28,000 references takes 20 ms; asking for each takes a second.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "nix/store_path.h"

namespace flox::store {

// Immutable; paths are known by their index, in the order of their names.
class ReferenceGraph {
 public:
  using Index = uint32_t;
  struct Node {
    nix::StorePath path;
    uint64_t nar_size = 0;          // bytes
    int64_t registration_time = 0;  // Unix seconds
    std::string deriver;            // full path; empty: none
  };

  class Builder {
   public:
    // `id` is the caller's own name for the node.
    void add_node(int64_t id, Node node);
    // A row of a path that is none of ours: it stays, so what it refers to must stay, too.
    void add_opaque(int64_t id);
    // Ids that are no nodes are passed over.
    void add_reference(int64_t referrer, int64_t reference);
    ReferenceGraph finish() &&;

   private:
    std::vector<Node> nodes_;
    std::unordered_map<int64_t, Index> by_id_;
    std::vector<std::pair<Index, Index>> edges_;
    std::unordered_set<int64_t> opaque_;
    std::vector<Index> held_;
  };

  size_t size() const noexcept { return nodes_.size(); }
  const Node& operator[](Index index) const { return nodes_[index]; }
  std::optional<Index> find(const nix::StorePath& path) const;
  // By the 32 characters before the name. The first one: several paths can have one digest, if somebody wrote
  // them so.
  std::optional<Index> find_digest(std::string_view digest) const;
  // The path after this one, if it has the same digest.
  std::optional<Index> next_of_digest(Index index) const;
  // What rows refer to that are no paths of ours; these are in no other answer.
  const std::vector<Index>& held_by_opaque() const noexcept { return held_; }

  // Without the path itself.
  std::span<const Index> references(Index index) const { return references_.of(index); }
  std::span<const Index> referrers(Index index) const { return referrers_.of(index); }

  // Sets `marked` for the start and everything that can be reached from it through paths not marked before.
  // `reached`, if given, gains those that are new.
  void mark(Index start, std::vector<bool>& marked, std::vector<Index>* reached = nullptr) const;
  // Throws Error(not_found) if one of the paths is not in the graph.
  nix::StorePathSet closure(const nix::StorePathSet& paths) const;
  // A shortest chain of references from one path to another, both included; empty if there is none.
  std::vector<Index> chain(Index from, Index to) const;
  // Every path, each after all its referrers; what goes in a circle, which no store should have, is left out.
  std::vector<Index> referrers_first() const;

 private:
  // Lists of neighbours, one after the other.
  struct Edges {
    std::vector<Index> starts;  // one more than there are nodes
    std::vector<Index> ends;
    std::span<const Index> of(Index index) const {
      return std::span(ends).subspan(starts[index], starts[index + 1] - starts[index]);
    }
  };
  static Edges make_edges(size_t nodes, const std::vector<std::pair<Index, Index>>& edges, bool turned);

  std::vector<Node> nodes_;
  std::vector<Index> held_;
  std::unordered_map<std::string_view, Index> by_digest_;  // views into the nodes' paths
  Edges references_;
  Edges referrers_;
};

}  // namespace flox::store
