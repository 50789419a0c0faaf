#include "store/local/reference_graph.h"

#include <algorithm>

#include "base/error.h"

namespace flox::store {

using nix::StorePath;
using nix::StorePathSet;

void ReferenceGraph::Builder::add_node(int64_t id, Node node) {
  by_id_.emplace(id, static_cast<Index>(nodes_.size()));
  nodes_.push_back(std::move(node));
}

void ReferenceGraph::Builder::add_opaque(int64_t id) { opaque_.insert(id); }

void ReferenceGraph::Builder::add_reference(int64_t referrer, int64_t reference) {
  const auto from = by_id_.find(referrer);
  const auto to = by_id_.find(reference);
  if (from != by_id_.end() && to != by_id_.end() && from != to) edges_.emplace_back(from->second, to->second);
  if (to != by_id_.end() && opaque_.contains(referrer)) held_.push_back(to->second);
}

ReferenceGraph ReferenceGraph::Builder::finish() && {
  ReferenceGraph graph;
  graph.nodes_ = std::move(nodes_);
  graph.held_ = std::move(held_);
  graph.by_digest_.reserve(graph.nodes_.size());
  for (Index i = 0; i < graph.nodes_.size(); ++i) graph.by_digest_.emplace(graph.nodes_[i].path.digest(), i);
  graph.references_ = make_edges(graph.nodes_.size(), edges_, false);
  graph.referrers_ = make_edges(graph.nodes_.size(), edges_, true);
  return graph;
}

ReferenceGraph::Edges ReferenceGraph::make_edges(size_t nodes,
                                                 const std::vector<std::pair<Index, Index>>& edges,
                                                 bool turned) {
  Edges result;
  result.starts.resize(nodes + 1);
  for (const auto& [from, to] : edges) ++result.starts[(turned ? to : from) + 1];
  for (size_t i = 0; i < nodes; ++i) result.starts[i + 1] += result.starts[i];
  result.ends.resize(edges.size());
  std::vector<Index> next(result.starts.begin(), result.starts.end() - 1);
  for (const auto& [from, to] : edges) result.ends[next[turned ? to : from]++] = turned ? from : to;
  return result;
}

std::optional<ReferenceGraph::Index> ReferenceGraph::find(const StorePath& path) const {
  for (auto index = find_digest(path.digest()); index; index = next_of_digest(*index))
    if (nodes_[*index].path == path) return index;
  return std::nullopt;
}

std::optional<ReferenceGraph::Index> ReferenceGraph::next_of_digest(Index index) const {
  const Index next = index + 1;
  if (next >= nodes_.size() || nodes_[next].path.digest() != nodes_[index].path.digest()) return std::nullopt;
  return next;
}

std::optional<ReferenceGraph::Index> ReferenceGraph::find_digest(std::string_view digest) const {
  const auto found = by_digest_.find(digest);
  return found == by_digest_.end() ? std::nullopt : std::optional(found->second);
}

void ReferenceGraph::mark(Index start, std::vector<bool>& marked, std::vector<Index>* reached) const {
  if (marked[start]) return;
  marked[start] = true;
  std::vector<Index> open{start};
  while (!open.empty()) {
    const Index index = open.back();
    open.pop_back();
    if (reached != nullptr) reached->push_back(index);
    for (const Index reference : references(index)) {
      if (marked[reference]) continue;
      marked[reference] = true;
      open.push_back(reference);
    }
  }
}

StorePathSet ReferenceGraph::closure(const StorePathSet& paths) const {
  std::vector<bool> marked(size());
  std::vector<Index> reached;
  for (const StorePath& path : paths) {
    const auto start = find(path);
    if (!start) fail(ErrorKind::not_found, "{} is not in the store", path.to_string());
    mark(*start, marked, &reached);
  }
  std::ranges::sort(reached);
  StorePathSet result;
  for (const Index index : reached) result.emplace_hint(result.end(), nodes_[index].path);
  return result;
}

std::vector<ReferenceGraph::Index> ReferenceGraph::chain(Index from, Index to) const {
  constexpr Index none = ~Index{0};
  std::vector<Index> before(size(), none);
  before[from] = from;
  std::vector<Index> open{from};  // breadth first: grows while it is walked
  for (size_t i = 0; i < open.size() && before[to] == none; ++i)
    for (const Index reference : references(open[i]))
      if (before[reference] == none) {
        before[reference] = open[i];
        open.push_back(reference);
      }
  if (before[to] == none) return {};
  std::vector<Index> result{to};
  while (result.back() != from) result.push_back(before[result.back()]);
  std::ranges::reverse(result);
  return result;
}

std::vector<ReferenceGraph::Index> ReferenceGraph::referrers_first() const {
  std::vector<Index> missing(size());  // referrers that are not in the order yet
  std::vector<Index> order;
  order.reserve(size());
  for (Index i = 0; i < size(); ++i) {
    missing[i] = static_cast<Index>(referrers(i).size());
    if (missing[i] == 0) order.push_back(i);
  }
  for (size_t i = 0; i < order.size(); ++i)
    for (const Index reference : references(order[i]))
      if (--missing[reference] == 0) order.push_back(reference);
  return order;
}

}  // namespace flox::store
