// Programs that were built or installed on this machine, as store paths.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "nix/path_info.h"
#include "package/debian/debian.h"
#include "store/local/local_store.h"

namespace flox::package {

struct RelocateOptions {
  DebianOptions debian;  // where the libraries' packages come from, and who is told about steps
  std::vector<nix::StorePath>
      packages;                  // valid store paths whose lib and bin are looked in before this machine's
  nix::StorePathSet candidates;  // store paths that the files may refer to already; `packages` are added
  std::string placeholder;       // digest that stands for the tree's own in its files; empty: none does
  std::vector<std::string>
      origins;  // absolute directories that the tree was made for, such as a build's $out
  // Where a library is that is in none of `packages`: of this machine, imported as Debian's; if not, what
  // `candidates` have is used, and nothing else.
  bool use_machine = true;
  std::function<void(const fs::path& tree, const nix::StorePathSet& candidates)> inspect =
      {};  // Tree::inspect
};

// Copies `directory` (programs in bin, libraries in lib, anything else anywhere) into the store as NAME and
// makes its programs run from there: each library that one needs is taken from the tree, from `packages`, or
// from the Debian package that this machine's loader would take it from (RUNPATH, ld.so.cache), imported with
// all that it needs. `directory` itself is not changed. Throws Error (not_found if a library is nowhere,
// invalid_input if it belongs to no Debian package).
nix::PathInfo relocate_tree(store::LocalStore& store, const fs::path& directory, const std::string& name,
                            const RelocateOptions& options = {});

}  // namespace flox::package
