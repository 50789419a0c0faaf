// What keeps paths in the store (docs/formats/store-locks.md): links below gcroots/ and profiles/, the
// temporary roots of processes that are at work, and what running processes have open.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "store/local/local_store.h"

namespace flox::store {

enum class RootKind { permanent, temporary, runtime };
const char* to_string(RootKind kind) noexcept;

struct Root {
  std::string source;  // the link, the process's file, or /proc/PID/…
  StorePath path;      // may not be valid
  RootKind kind;
};

// Whether links in gcroots/auto whose target is gone are removed, as Nix does, and second names of links that
// are gone (link_root.h).
enum class StaleLinks { keep, remove };

// Links and files below gcroots/ and profiles/, leases among them. Throws Error if a directory or a link
// cannot be read: what cannot be seen might be a root.
std::vector<Root> permanent_roots(const LocalStore& store, StaleLinks stale = StaleLinks::keep);
// What living processes have announced. Files of dead ones are removed. A file that lost its name to a
// process with the same id in another PID namespace is found where its owner has it open.
std::vector<Root> temporary_roots(const LocalStore& store);
// Valid paths that visible processes execute, have open or mapped, or name in their environment.
std::vector<Root> runtime_roots(const ReferenceGraph& graph);

}  // namespace flox::store
