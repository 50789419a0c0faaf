// The runtime closure: what every imageless pod gets besides its packages. One store path with bin/flox,
// busybox's applets (sh, env, pgrep, ls, …) and the certificate bundle.
#pragma once

#include <functional>
#include <string_view>

#include "nix/store_path.h"
#include "store/local/local_store.h"

namespace flox::node {

// Builds it from this very program and this machine's busybox, and makes it the root's runtime (a GC root,
// gcroots/flox-runtime). Throws Error(not_found) with advice if busybox or a library's package is missing.
nix::StorePath build_runtime(store::LocalStore& store, const std::function<void(std::string_view)>& on_step);

// The root's runtime. Throws Error(not_found) with advice if there is none.
nix::StorePath current_runtime(const store::LocalStore& store);

}  // namespace flox::node
