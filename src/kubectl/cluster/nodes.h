// The cluster's nodes with flox, and asking the flox on them: by `kubectl exec` into the pod of the DaemonSet
// flox-node there.
#pragma once

#include <string>
#include <vector>

#include "kubectl/cluster/kubectl.h"

namespace flox::kubectl {

struct Node {
  std::string name;
  std::string pod;         // of flox-node; empty: there is none
  std::string trouble;     // why that cannot be asked; empty: it can
  bool is_broken = false;  // `trouble` is that floxd, which should run there, does not
};

// Those that have a pod of flox-node or the label flox.dev/runtime=installed, by name. Who may not list nodes
// sees the first alone. Throws Error as Kubectl::get.
std::vector<Node> flox_nodes(const Kubectl& kubectl);
// The one of that name; with trouble if no flox-node runs there. Throws Error as Kubectl::get.
Node flox_node(const Kubectl& kubectl, const std::string& name);
// All, or those of these names. Throws Error(not_found), too, if there is none, or none of a name.
std::vector<Node> flox_nodes(const Kubectl& kubectl, const std::vector<std::string>& names);
// The same as the first, of what kubectl says of pods and of nodes (null: nothing).
std::vector<Node> flox_nodes(const nlohmann::json& pods, const nlohmann::json& nodes);

// Runs flox with these arguments on the node itself. Throws Error(unavailable) with the node's trouble, or as
// Kubectl::run.
Kubectl::Answer run_on_node(const Kubectl& kubectl, const Node& node,
                            const std::vector<std::string>& arguments, std::chrono::seconds time = {});
// Its standard output as JSON, whatever its exit code. Throws Error(unavailable), too, if that is none.
nlohmann::json ask_node(const Kubectl& kubectl, const Node& node, const std::vector<std::string>& arguments,
                        std::chrono::seconds time = {});

// What each node answers: at most 16 are asked at once.
struct NodeAnswer {
  Node node;
  nlohmann::json answer;  // null: it could not be asked
  std::string trouble;    // why; empty: it was
};
std::vector<NodeAnswer> ask_nodes(const Kubectl& kubectl, const std::vector<Node>& nodes,
                                  const std::vector<std::string>& arguments, std::chrono::seconds time = {});

}  // namespace flox::kubectl
