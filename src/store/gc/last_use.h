// When paths were last in use: the collector takes the longest unused first. Kept for roots only, in the
// times of empty files STATE/flox/last-used/BASE_NAME; what a root refers to was in use with it.
#pragma once

#include <vector>

#include "store/local/local_store.h"

namespace flox::store {

// The paths were in use until now. Never throws: it is only a hint.
void record_use(const LocalStore& store, const StorePathSet& roots) noexcept;
void forget_use(const LocalStore& store, const StorePath& path) noexcept;

// For every path of the graph, Unix seconds: when it was registered, or the last recorded use of a path that
// refers to it, whichever is later. A path is never older than one that refers to it.
std::vector<int64_t> last_uses(const LocalStore& store, const ReferenceGraph& graph);

}  // namespace flox::store
