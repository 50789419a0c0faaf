// Asking caches what they have, without fetching it.
#pragma once

#include <functional>
#include <vector>

#include "nix/path_info.h"
#include "store/fetch/realise_options.h"

namespace flox::store {

// Asks the caches of `options` for the narinfos of these paths, and afresh, in a confined process as all that
// caches say is read in. `shown` is called for each path that one of them shows with the contents that
// `infos` has, from several threads, one call at a time. Nothing is written. Throws Error(unavailable) if a
// cache has not said of a path whether it has it; what was shown before counts.
void ask_caches(const std::vector<nix::PathInfo>& infos, const RealiseOptions& options,
                const std::function<void(const nix::PathInfo&)>& shown);

}  // namespace flox::store
