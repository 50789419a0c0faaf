// The names, sizes and links of one store path, without its bytes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/index/nar_index.h"

namespace flox::lazy {

enum class NodeKind : uint8_t { directory, regular, symlink };

NodeKind kind_of(store::NarIndex::Type type) noexcept;
// Type and permissions that it has in a store.
mode_t mode_of(NodeKind kind, bool executable) noexcept;

// Immutable once made; any thread may read it. A node is known by its number: 0 is the path itself, and the
// numbers are the same whenever a tree is made of the same listing, so a file system that was taken over
// knows the nodes that the kernel holds.
class PathTree {
 public:
  struct Node {
    uint64_t size = 0;    // bytes of a regular file or of a link's target; 0 for a directory
    uint32_t parent = 0;  // 0 of node 0
    uint32_t first_child =
        0;  // the children of a directory have consecutive numbers, in the order of their names
    uint32_t children = 0;
    uint32_t file = 0;          // of a regular file: how many stand before it in the order of a NAR
    uint32_t name_begin = 0;    // of the name, in the tree's text
    uint32_t target_begin = 0;  // of a link's target, in the tree's text
    uint16_t name_size = 0;
    NodeKind kind = NodeKind::directory;
    bool executable = false;
  };

  explicit PathTree(const store::NarIndex& index);

  const std::vector<Node>& nodes() const noexcept { return nodes_; }
  std::string_view name(const Node& node) const noexcept { return text(node.name_begin, node.name_size); }
  std::string_view target(const Node& node) const noexcept { return text(node.target_begin, node.size); }
  // What stands at this path, "share/x"; empty: the top. Null: nothing does.
  const Node* find(std::string_view path) const noexcept;
  // The number of what a directory has by this name.
  std::optional<uint32_t> child(const Node& directory, std::string_view name) const noexcept;

 private:
  std::string_view text(uint32_t begin, uint64_t size) const noexcept {
    return std::string_view(text_).substr(begin, size);
  }

  std::vector<Node> nodes_;
  std::string text_;
};

}  // namespace flox::lazy
