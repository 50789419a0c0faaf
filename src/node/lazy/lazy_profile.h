// The profile of an environment whose packages are not whole yet.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "env/lockfile.h"
#include "nix/path_info.h"

namespace flox::node {

// What the closure of the packages is, and where it can be seen: in `view`, whose entries lead into the
// layers (StoreViews::begin).
struct LazyClosure {
  std::vector<nix::PathInfo> infos;  // of all paths
  std::filesystem::path view;
  std::vector<std::filesystem::path> layers;
};

// Builds the profile in a store root of its own, in the new directory `place`, whose database has the closure
// as if it was valid, and whose files are an overlay of the closure's: the node's store knows nothing of it.
// It is the path that env::build_profile() gives when the closure is valid. Moves its tree into the view.
// Bytes of packages are read, and waited for, only where two of them have a file of the same name. Throws
// Error; removes `place`.
nix::PathInfo build_lazy_profile(const std::filesystem::path& place, const LazyClosure& closure,
                                 const env::Lockfile& lock, std::string_view system, std::string_view mode);

}  // namespace flox::node
