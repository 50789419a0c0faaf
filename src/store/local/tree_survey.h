// Adding a tree to the store reads it twice: once to learn its hash and references, which give it its path,
// and once to copy it there.
#pragma once

#include <filesystem>
#include <string>

#include "base/data/sha256.h"
#include "nix/path_info.h"

namespace flox::store {

// What the first reading of a tree tells.
struct TreeSurvey {
  Sha256Digest hash;  // of the NAR, modulo the placeholder
  bool self_reference = false;
  nix::StorePathSet references;
};

// `candidates` are the paths whose digests are looked for; `placeholder`, if not empty, stands for the path's
// own.
TreeSurvey survey_tree(const std::filesystem::path& tree, const nix::StorePathSet& candidates,
                       const std::string& placeholder);

// Copies the tree with the placeholder (if not empty) replaced by the digest of `info.path`; fills in NAR
// hash and size. Throws Error(conflict) if the tree is not what was surveyed.
void copy_tree(const std::filesystem::path& tree, const std::filesystem::path& to,
               const std::string& placeholder, const TreeSurvey& survey, nix::PathInfo& info);

}  // namespace flox::store
