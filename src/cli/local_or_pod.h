// Resolving names and realising environments: on a laptop with the catalog and the local store, in a pod with
// floxd.
#pragma once

#include <memory>
#include <string>

#include "env/environment.h"
#include "nix/store_path.h"
#include "store/local/local_store.h"

namespace flox::cli {

// Is this a pod of ours? Then floxd answers on the pod socket ($FLOX_POD_SOCKET, /run/flox/pod.sock).
bool in_pod();

// The environment that the node gives this pod's namespace; empty if none.
std::string namespace_default();

// Makes the paths present in a store of this machine, from the configured caches. Throws Error.
void make_present(store::LocalStore& store, const nix::StorePathSet& paths);

std::unique_ptr<env::Resolver> make_resolver();
std::unique_ptr<env::Realiser> make_realiser();

// The environment's profile for this system, present and linked from .flox/run where that can be written. A
// laptop that has it already asks nobody; a pod always asks floxd, which keeps the lease. Two commands that
// build the same environment do so one after the other: `doing` is this one. Throws Error.
nix::StorePath present_profile(const env::Environment& environment, const env::Lockfile& lock,
                               const std::string& mode, const std::string& doing);
// The same for who has the environment to itself already.
nix::StorePath present_profile_alone(const env::Environment& environment, const env::Lockfile& lock,
                                     const std::string& mode);

// Makes what the lock has for this system present, and its profile, and links nothing to it: for an
// environment without a directory that stays. Throws Error if it could not be activated.
void try_profile(const std::string& environment, const env::Lockfile& lock);

// For a command that writes to the environment and needs no packages: it says for whom it waits.
env::ChangeContext writing(const env::Environment& environment, const std::string& doing);
// For a command that changes the environment: it says for whom it waits, and makes the packages and the
// profile present before anything is written.
env::ChangeContext changing(const env::Environment& environment, const std::string& doing);

// The lock for a command that only reads; says on stderr if it is not the one on disk.
env::Lockfile lock_to_read(const env::Environment& environment, env::Resolver& resolver);

}  // namespace flox::cli
