// The store paths that one mount shows.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "lazy/contents.h"
#include "lazy/path_tree.h"
#include "lazy/read_counts.h"

namespace flox::lazy {

struct MountedPath {
  std::string name;  // in the mount
  uint32_t slot = 0;
  std::shared_ptr<const PathTree> tree;
  std::shared_ptr<Contents> contents;
  std::shared_ptr<ReadCounts> counts = std::make_shared<ReadCounts>();
};

// Thread-safe. The kernel knows a node by (slot << 32 | number), the mount's own directory by 1. A slot is
// given to one path and to no other for as long as the mount lives: whoever takes the mount over gives each
// path the slot that it had.
class MountedPaths {
 public:
  // Throws Error(conflict) if the name or the slot, which is 1 or more, is taken.
  void add(MountedPath path);
  // It is not found any more, neither by its name nor by a number that the kernel knows; unknown is fine.
  // What is being read of it ends as if it was there.
  void remove(uint32_t slot);

  std::shared_ptr<const MountedPath> by_slot(uint32_t slot) const;
  std::shared_ptr<const MountedPath> by_name(std::string_view name) const;
  // In the order of their slots, those from `slot` on.
  std::vector<std::shared_ptr<const MountedPath>> from(uint32_t slot, size_t most) const;

 private:
  mutable std::shared_mutex mutex_;
  std::map<uint32_t, std::shared_ptr<const MountedPath>> slots_;
  std::map<std::string, uint32_t, std::less<>> names_;
};

}  // namespace flox::lazy
