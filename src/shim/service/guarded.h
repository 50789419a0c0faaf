// What the methods of all services for containerd have in common.
#pragma once

#include "shim/process/idle_memory.h"
#include "ttrpc/server.h"

namespace flox::shim {

// Runs the handler, which counts as activity, and gives its failures the codes that containerd knows: it has
// fewer than ErrorKind, and takes the rest as Unknown. Logs them. `name` and `idle_memory` outlive it.
ttrpc::Handler guarded(IdleMemory& idle_memory, const char* name, ttrpc::Handler handler);

// How long the client waits; without a limit the longest time that there is.
Milliseconds limit_of(const ttrpc::Call& call);

}  // namespace flox::shim
