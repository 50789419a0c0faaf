// Where shim, pods and floxd find each other unless they are told otherwise.
#pragma once

namespace flox::protocol {

// Where floxd serves the shim. The variable names another place, to both.
inline constexpr const char* node_socket = "/run/flox/node.sock";
inline constexpr const char* node_socket_variable = "FLOX_NODE_SOCKET";
// Where a pod finds floxd.
inline constexpr const char* pod_socket = "/run/flox/pod.sock";

}  // namespace flox::protocol
