// What the methods of all services for containerd have in common.
#pragma once

#include "shim/process/idle_memory.h"
#include "ttrpc/server.h"

namespace flox::shim {

// Runs the handler, and gives its failures the codes that containerd knows: it has fewer than ErrorKind, and
// takes the rest as Unknown. Logs them. A call counts as activity, but for figures, for which containerd 2.4
// asks every second: `idle_memory` is null then. `name` and `idle_memory` outlive the handler.
ttrpc::Handler guarded(IdleMemory* idle_memory, const char* name, ttrpc::Handler handler);

// How long the client waits; without a limit the longest time that there is.
Milliseconds limit_of(const ttrpc::Call& call);

}  // namespace flox::shim
