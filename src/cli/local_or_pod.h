// Resolving names and realising environments: on a laptop with the catalog and the local store, in a pod with
// floxd.
#pragma once

#include <memory>
#include <string>

#include "env/environment.h"
#include "nix/store_path.h"

namespace flox::cli {

// Is this a pod of ours? Then floxd answers on the pod socket ($FLOX_POD_SOCKET, /run/flox/pod.sock).
bool in_pod();

// The environment that the node gives this pod's namespace; empty if none.
std::string namespace_default();

std::unique_ptr<env::Resolver> make_resolver();
std::unique_ptr<env::Realiser> make_realiser();

// The environment's profile for this system, present and linked from .flox/run where that can be written. A
// laptop that has it already asks nobody; a pod always asks floxd, which keeps the lease. Throws Error.
nix::StorePath present_profile(const env::Environment& environment, const env::Lockfile& lock,
                               const std::string& mode);

}  // namespace flox::cli
