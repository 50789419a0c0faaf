// Whether programs and libraries can be loaded: asked of their own loader, where there is nothing else.
#pragma once

#include <filesystem>
#include <string>

#include "store/local/local_store.h"

namespace flox::package {

// Loads each program and library of the tree, as if it were the store path DIGEST-NAME `own_name`, with the
// store paths `visible` beside it and nothing else of this machine, and does not start them
// (LD_TRACE_LOADED_OBJECTS, ld.so(8)). The C library itself is not tried. Throws Error(invalid_input) naming
// the first file, in the order of names, that does not load, and what its loader says; unavailable if this
// machine lets this user have no namespaces, unless the store stands at /nix: then they are loaded as they
// are. Call from a program with one thread.
void require_loadable(const store::LocalStore& store, const std::filesystem::path& tree,
                      const std::string& own_name, const nix::StorePathSet& visible);

}  // namespace flox::package
