// GC roots of the store's own, by name (docs/explanation/garbage-collection.md).
#pragma once

#include <optional>
#include <string>

#include "store/local/local_store.h"

namespace flox::store {

// Makes gcroots/NAME a link that keeps the path, in place of one that is there, whole or not at all: whatever
// ends this process, nothing else is left that the collector takes for a root. `name` may have a directory,
// "flox-imports/git", which is made. Thread-safe; processes may do the same at once. Throws Error.
void set_named_root(const LocalStore& store, const std::string& name, const nix::StorePath& path);
// What gcroots/NAME keeps; nothing if there is no such root. Throws Error if it is no link to a store path.
std::optional<nix::StorePath> named_root(const LocalStore& store, const std::string& name);
// The root need not be there. Throws Error.
void remove_named_root(const LocalStore& store, const std::string& name);

}  // namespace flox::store
