// Store paths from another store of this machine, as `nix copy --from /other` has it.
#pragma once

#include "store/local/local_store.h"

namespace flox::store {

// Makes the closure of the paths valid in `to`: what is missing there is read from `from` and compared with
// what that store has registered, and all of it becomes visible in one transaction, with the signatures that
// it has. Nobody is asked whether these are trusted: whoever names a store trusts it. Gives the number of
// paths copied. Throws Error: not_found if `from` does not have a path, untrusted if its files are not what
// is registered; then nothing is copied.
uint64_t copy_from_store(const LocalStore& from, LocalStore& to, const nix::StorePathSet& paths);

}  // namespace flox::store
