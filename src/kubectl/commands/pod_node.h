// The pod that a command is about, and asking the flox of its node.
#pragma once

#include <string>
#include <vector>

#include "kubectl/commands/commands.h"
#include "kubectl/pod/pod_state.h"

namespace flox::kubectl {

// Throws Error as Kubectl::get, invalid_input for an answer that is no pod.
PodState find_pod(const Kubectl& kubectl, const Common& common, const std::string& name);

// What flox prints for `arguments` on the pod's node, with "NAMESPACE/NAME" behind them. Throws Error:
// not_found if floxd has prepared no such pod or it is on no node, unavailable if the node cannot be asked.
std::string flox_on_node_of(const Kubectl& kubectl, const PodState& pod, std::vector<std::string> arguments);

}  // namespace flox::kubectl
