#include "lazy/path_tree.h"

#include <sys/stat.h>

#include <algorithm>

namespace flox::lazy {

using Type = store::NarIndex::Type;

NodeKind kind_of(Type type) noexcept {
  switch (type) {
    case Type::regular:
    case Type::executable:
      return NodeKind::regular;
    case Type::symlink:
      return NodeKind::symlink;
    case Type::directory:
      break;
  }
  return NodeKind::directory;
}

mode_t mode_of(NodeKind kind, bool executable) noexcept {
  switch (kind) {
    case NodeKind::directory:
      return S_IFDIR | 0555;
    case NodeKind::regular:
      return S_IFREG | (executable ? 0555 : 0444);
    case NodeKind::symlink:
      break;
  }
  return S_IFLNK | 0777;
}

PathTree::PathTree(const store::NarIndex& index) {
  const size_t count = index.nodes.size();
  std::vector<uint32_t> file_numbers(count), children(count), next(count);
  uint32_t files = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (index.nodes[i].is_file()) file_numbers[i] = files++;
    if (i > 0) ++children[index.nodes[i].parent];
  }
  // Where the children of each node stand, among all that are no top, parent by parent. An index has a
  // directory before what is in it, and the names of a directory in order.
  std::vector<uint32_t> by_parent(count);
  uint32_t begin = 0;
  for (uint32_t i = 0; i < count; ++i) {
    next[i] = begin;
    begin += children[i];
  }
  for (uint32_t i = 1; i < count; ++i) by_parent[next[index.nodes[i].parent]++] = i;

  // Level by level, so that a directory's children have consecutive numbers.
  std::vector<uint32_t> order{0};
  nodes_.reserve(count);
  nodes_.emplace_back();
  for (uint32_t number = 0; number < order.size(); ++number) {
    const auto& from = index.nodes[order[number]];
    Node& node = nodes_[number];
    node.kind = kind_of(from.type);
    node.executable = from.type == Type::executable;
    node.size = node.kind == NodeKind::symlink ? from.target.size() : from.size;
    node.file = file_numbers[order[number]];
    node.target_begin = static_cast<uint32_t>(text_.size());
    text_ += from.target;
    node.first_child = static_cast<uint32_t>(nodes_.size());
    node.children = children[order[number]];
    for (uint32_t i = next[order[number]] - node.children; i < next[order[number]]; ++i) {
      const std::string& name = index.nodes[by_parent[i]].name;
      Node child;
      child.parent = number;
      child.name_begin = static_cast<uint32_t>(text_.size());
      child.name_size = static_cast<uint16_t>(name.size());
      text_ += name;
      nodes_.push_back(child);
      order.push_back(by_parent[i]);
    }
  }
}

std::optional<uint32_t> PathTree::child(const Node& directory, std::string_view wanted) const noexcept {
  const auto begin = nodes_.begin() + directory.first_child;
  const auto end = begin + directory.children;
  const auto found = std::lower_bound(
      begin, end, wanted, [this](const Node& node, std::string_view text) { return name(node) < text; });
  if (found == end || name(*found) != wanted) return {};
  return static_cast<uint32_t>(found - nodes_.begin());
}

const PathTree::Node* PathTree::find(std::string_view path) const noexcept {
  const Node* node = &nodes_[0];
  while (!path.empty()) {
    const size_t end = std::min(path.find('/'), path.size());
    const auto number = child(*node, path.substr(0, end));
    if (!number) return nullptr;
    node = &nodes_[*number];
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return node;
}

}  // namespace flox::lazy
