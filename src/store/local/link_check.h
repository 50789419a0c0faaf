// Whether a path's links stay where its registration says.
#pragma once

#include "store/local/local_store.h"

namespace flox::store {

// Throws Error(untrusted), naming the link and its target, if a symbolic link of the path leads out of the
// store, to a store path that it does not refer to (itself or through others), or in a circle. One that
// dangles within those is fine. Nothing is followed but step by step within the store.
void require_links_inside(const LocalStore& store, const StorePath& path);

}  // namespace flox::store
