// From a container on the node into the node itself.
#pragma once

namespace flox::cli {

// Moves this process into the mount and network namespaces of the node, whose process 1 the container must
// see (hostPID). Throws Error if the container is not privileged.
void enter_node();

}  // namespace flox::cli
