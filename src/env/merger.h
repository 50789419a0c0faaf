// Merges packages into one tree of symbolic links.
#pragma once

#include <string>
#include <vector>

#include "env/profile.h"
#include "nix/store_path.h"
#include "store/local/store_tree.h"

namespace flox::env {

using store::StoreTree;

// One store path to merge, with who brings it.
struct MergeSource {
  std::string install_id;
  int priority;
  nix::StorePath path;
};

// Fills the empty directory `tree` with links to what the sources have; a directory that one source alone has
// is one link. Throws as build_profile() does. Recurses once per level, of which there are limits.depth.
void merge_packages(const store::LocalStore& store, std::vector<MergeSource> sources, const Directory& tree,
                    const ProfileLimits& limits);

}  // namespace flox::env
