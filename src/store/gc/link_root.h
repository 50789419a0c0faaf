// Roots that are somebody's own link, outside of the store's directory: an environment's link to its profile,
// a project's to the result of a build (docs/explanation/garbage-collection.md).
#pragma once

#include <filesystem>

#include "store/local/local_store.h"

namespace flox::store {

// Where the second names of such links are, below gcroots/ (roots.h).
constexpr const char* second_names_directory = "flox-links";

// Keeps what the link leads to while the link exists, and no longer: by a link in gcroots/auto that leads to
// it, as Nix has it; and, where link and store are on one file system, by a second name of the link itself,
// which goes on counting wherever the link is moved to, and no longer once the first name is gone. `link` is
// absolute. Writes nothing if both are there. Thread-safe; processes may do the same at once. Throws Error.
void keep_link(const LocalStore& store, const fs::path& link);

}  // namespace flox::store
