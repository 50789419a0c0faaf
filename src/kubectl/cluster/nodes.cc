#include "kubectl/cluster/nodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "base/data/json.h"
#include "base/error.h"
#include "base/foreign_error.h"
#include "base/printable.h"
#include "kubectl/pod/fields.h"

namespace flox::kubectl {
namespace {

constexpr size_t most_at_once = 16;

// Why floxd's container of the pod does not answer; empty: it runs.
std::string trouble_of(const nlohmann::json& pod) {
  for (const auto& status : list_at(pod, {"status", "containerStatuses"})) {
    if (text_at(status, {"name"}) != "floxd") continue;
    const nlohmann::json& state = at(status, {"state"});
    if (state.contains("running")) return {};
    const std::string reason =
        text_at(state, {"waiting", "reason"}) + text_at(state, {"terminated", "reason"});
    const std::string last = text_at(status, {"lastState", "terminated", "message"});
    return fmt::format("floxd does not run: {}{}", reason.empty() ? "its container has not started" : reason,
                       last.empty() ? "" : ": " + last);
  }
  for (const auto& status : list_at(pod, {"status", "initContainerStatuses"}))
    if (const std::string reason = text_at(status, {"state", "waiting", "reason"}); !reason.empty())
      return fmt::format("floxd does not run: step '{}' of the installation: {}", text_at(status, {"name"}),
                         reason);
  const std::string phase = text_at(pod, {"status", "phase"});
  return fmt::format("floxd does not run: its pod is {}", phase.empty() ? "new" : phase);
}

}  // namespace

std::vector<Node> flox_nodes(const nlohmann::json& pods, const nlohmann::json& nodes) {
  std::map<std::string, Node> found;
  for (const auto& node : list_at(nodes, {"items"})) {
    const std::string name = text_at(node, {"metadata", "name"});
    const bool is_installed = text_at(node, {"metadata", "labels", "flox.dev/runtime"}) == "installed";
    if (!name.empty() && is_installed)
      found.emplace(
          name, Node{.name = name,
                     .trouble = "no pod of the DaemonSet flox-node runs there: ask 'flox node status' and "
                                "'flox node doctor' on the node"});
  }
  for (const auto& pod : list_at(pods, {"items"})) {
    const std::string name = text_at(pod, {"spec", "nodeName"});
    if (name.empty()) continue;
    const std::string trouble = trouble_of(pod);
    // While an old pod ends, the new one counts.
    Node& node = found[name];
    const bool is_ending = !text_at(pod, {"metadata", "deletionTimestamp"}).empty();
    if (!node.pod.empty() && is_ending) continue;
    node = {.name = name,
            .pod = text_at(pod, {"metadata", "name"}),
            .trouble = trouble,
            .is_broken = !trouble.empty()};
  }
  std::vector<Node> list;
  for (auto& [name, node] : found) list.push_back(std::move(node));
  return list;
}

Node flox_node(const Kubectl& kubectl, const std::string& name) {
  const std::vector<Node> found =
      flox_nodes(kubectl.get({"pods", "--namespace=" + kubectl.options().node_namespace,
                              "--selector=app=flox-node", "--field-selector=spec.nodeName=" + name}),
                 {});
  if (!found.empty()) return found.front();
  return {.name = name, .trouble = fmt::format("no pod of the DaemonSet flox-node runs on {}", name)};
}

std::vector<Node> flox_nodes(const Kubectl& kubectl, const std::vector<std::string>& names) {
  std::vector<Node> nodes = flox_nodes(kubectl);
  for (const std::string& name : names)
    if (std::ranges::find(nodes, name, &Node::name) == nodes.end())
      throw Error(ErrorKind::not_found, fmt::format("there is no node {} with flox", printable(name, 100)),
                  "Run 'kubectl flox status' to see which there are.");
  if (!names.empty())
    std::erase_if(nodes,
                  [&](const Node& node) { return std::ranges::find(names, node.name) == names.end(); });
  if (nodes.empty())
    throw Error(ErrorKind::not_found, "there is no node with flox in this cluster",
                "Install flox with the chart deploy/charts/flox, or name the namespace of its DaemonSet with "
                "--flox-namespace.");
  return nodes;
}

std::vector<Node> flox_nodes(const Kubectl& kubectl) {
  const nlohmann::json pods =
      kubectl.get({"pods", "--namespace=" + kubectl.options().node_namespace, "--selector=app=flox-node"});
  nlohmann::json nodes;
  try {
    nodes = kubectl.get({"nodes", "--selector=flox.dev/runtime=installed"});
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::untrusted) throw;
  }
  return flox_nodes(pods, nodes);
}

Kubectl::Answer run_on_node(const Kubectl& kubectl, const Node& node,
                            const std::vector<std::string>& arguments, std::chrono::seconds time) {
  if (!node.trouble.empty()) throw Error(ErrorKind::unavailable, printable(node.trouble));
  std::vector<std::string> command{"exec",   "--namespace=" + kubectl.options().node_namespace,
                                   node.pod, "--container=floxd",
                                   "--",     "/opt/flox/bin/flox",
                                   "node",   "on-host",
                                   "--",     "flox"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return kubectl.run(command, time);
}

nlohmann::json ask_node(const Kubectl& kubectl, const Node& node, const std::vector<std::string>& arguments,
                        std::chrono::seconds time) {
  const Kubectl::Answer answer = run_on_node(kubectl, node, arguments, time);
  try {
    return parse_json(answer.out, "what flox says on " + node.name);
  } catch (const Error&) {
    const std::string said = last_line(answer.err);
    throw Error(ErrorKind::unavailable,
                fmt::format("flox {} {} on {}: {}", arguments[0], arguments[1], printable(node.name, 100),
                            said.empty() ? "it answers with what is no JSON" : said));
  }
}

std::vector<NodeAnswer> ask_nodes(const Kubectl& kubectl, const std::vector<Node>& nodes,
                                  const std::vector<std::string>& arguments, std::chrono::seconds time) {
  std::vector<NodeAnswer> answers(nodes.size());
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i = next++; i < nodes.size(); i = next++) {
      answers[i].node = nodes[i];
      try {
        answers[i].answer = ask_node(kubectl, nodes[i], arguments, time);
      } catch (const std::exception& error) {
        answers[i].trouble = printable(message_of(error));
      }
    }
  };
  std::vector<std::thread> threads;
  for (size_t i = 0; i < std::min(most_at_once, nodes.size()); ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  return answers;
}

}  // namespace flox::kubectl
