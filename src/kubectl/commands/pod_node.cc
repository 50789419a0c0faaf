#include "kubectl/commands/pod_node.h"

#include <algorithm>

#include "base/command_line/program.h"
#include "base/error.h"

namespace flox::kubectl {

namespace {

// As Kubernetes has them (RFC 1123). It becomes a word of a command line, and is no option there.
bool is_pod_name(const std::string& name) {
  constexpr size_t longest = 253;
  return !name.empty() && name.size() <= longest && name.front() != '-' && name.front() != '.' &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
         });
}

}  // namespace

PodState find_pod(const Kubectl& kubectl, const Common& common, const std::string& name) {
  if (!is_pod_name(name))
    fail_usage(fmt::format("'{}' cannot be a pod's name", printable(name, 100)),
               "Run 'kubectl get pods' to see their names.");
  std::vector<std::string> arguments{"pods", name};
  const auto in_namespace = common.namespace_argument();
  arguments.insert(arguments.end(), in_namespace.begin(), in_namespace.end());
  PodState pod = read_pod(kubectl.get(std::move(arguments)));
  if (pod.name.empty() || pod.pod_namespace.empty())
    fail(ErrorKind::invalid_input, "kubectl get pods {}: the answer is no pod", printable(name, 100));
  return pod;
}

std::string flox_on_node_of(const Kubectl& kubectl, const PodState& pod, std::vector<std::string> arguments) {
  const std::string name = pod.pod_namespace + "/" + pod.name;
  if (pod.node.empty())
    throw Error(ErrorKind::not_found, fmt::format("pod {} is on no node yet", name),
                fmt::format("Run 'kubectl flox why -n {} {}'.", pod.pod_namespace, pod.name));
  arguments.push_back(name);
  const Kubectl::Answer answer = run_on_node(kubectl, flox_node(kubectl, pod.node), arguments);
  if (answer.exit_code == 0) return answer.out;
  // What flox says on the node: its message and its advice, and behind them what kubectl says of its exit
  // code.
  const std::string said = printable_lines(answer.err, 2000);
  fail(ErrorKind::unavailable, "on {}: {}", pod.node, said.empty() ? "flox failed without a word" : said);
}

}  // namespace flox::kubectl
