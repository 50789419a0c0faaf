// A tree that a fetcher has unpacked becomes one that may be installed: by nothing but reading it again.
#pragma once

#include <filesystem>

#include "nix/path_info.h"

namespace flox::store {

// Reads the tree, in constant memory, and compares its NAR with what was signed: size, SHA-256, and the
// content address if there is one. Gives its nodes the store's modes and times where they have others. The
// tree must be out of the fetcher's reach by now; a file that it still holds open for writing, or has a
// second name for, is refused. Throws Error: untrusted if the tree is not what was signed.
void verify_unpacked(const std::filesystem::path& tree, const nix::PathInfo& info);

}  // namespace flox::store
