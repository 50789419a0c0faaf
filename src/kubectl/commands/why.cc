// kubectl flox why: the timeline of a pod's start, and what it waits for.
#include <chrono>
#include <memory>

#include "base/data/json.h"
#include "base/error.h"
#include "base/rfc3339.h"
#include "kubectl/commands/commands.h"
#include "kubectl/commands/pod_node.h"
#include "kubectl/pod/account.h"
#include "kubectl/pod/fields.h"

namespace flox::kubectl {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

struct WhyOptions {
  std::string pod, container;
  bool json = false;
};

std::vector<std::string> starts_command(const PodState& pod) {
  return {"node", "starts", "--json", "--pod", pod.pod_namespace + "/" + pod.name};
}

// Whether a container of this pod has floxd's socket, as far as its manifest tells.
bool has_pod_socket(const json& pod) {
  if (text_at(pod, {"spec", "runtimeClassName"}) == "flox") return true;
  const json& annotations = at(pod, {"metadata", "annotations"});
  return annotations.is_object() && annotations.contains("flox.dev/environment");
}

// Who may not look into nodes may look into his own pods: floxd tells each pod of the starts of its
// namespace. Nothing if there is no container on the node that can ask.
std::optional<std::vector<StartState>> ask_neighbours(const Kubectl& kubectl, const PodState& pod) {
  constexpr int most_attempts = 3;
  const json neighbours = kubectl.get({"pods", "--namespace=" + pod.pod_namespace,
                                       "--field-selector=status.phase=Running,spec.nodeName=" + pod.node});
  int attempts = 0;
  for (const auto& neighbour : list_at(neighbours, {"items"})) {
    if (!has_pod_socket(neighbour)) continue;
    for (const auto& status : list_at(neighbour, {"status", "containerStatuses"})) {
      if (!at(status, {"state", "running"}).is_object()) continue;
      if (attempts++ == most_attempts) return std::nullopt;
      std::vector<std::string> command{"exec",
                                       "--namespace=" + pod.pod_namespace,
                                       text_at(neighbour, {"metadata", "name"}),
                                       "--container=" + text_at(status, {"name"}),
                                       "--",
                                       "flox"};
      const auto question = starts_command(pod);
      command.insert(command.end(), question.begin(), question.end());
      try {
        const Kubectl::Answer answer = kubectl.run(command);
        if (answer.exit_code == 0) return read_starts(parse_json(answer.out, "what flox says in a pod"));
      } catch (const Error& error) {
        if (error.kind() == ErrorKind::not_found) throw;  // no kubectl
      }
    }
  }
  return std::nullopt;
}

// What floxd says of the pod; nothing if it cannot be asked, and `trouble` says why then.
std::optional<std::vector<StartState>> starts_of(const Kubectl& kubectl, const PodState& pod,
                                                 std::string& trouble) {
  if (pod.node.empty()) return std::vector<StartState>();
  try {
    return read_starts(ask_node(kubectl, flox_node(kubectl, pod.node), starts_command(pod)));
  } catch (const Error& error) {
    trouble = printable(error.what());
  }
  try {
    if (auto starts = ask_neighbours(kubectl, pod)) {
      trouble.clear();
      return starts;
    }
  } catch (const Error& error) {
    trouble = printable(error.what());
  }
  return std::nullopt;
}

std::string clock_of(int64_t at) {
  return rfc3339(std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::milliseconds(at)));
}

void print_text(const PodState& pod, const Account& account, const std::string& trouble,
                const std::string& only) {
  const char* mark = account.verdict.state == Verdict::State::started ? "✔"
                     : account.verdict.state == Verdict::State::stuck ? "✘"
                                                                      : "ℹ";
  say("{} pod {}/{}{}: {}", mark, pod.pod_namespace, pod.name, pod.node.empty() ? "" : " on " + pod.node,
      account.verdict.text);
  if (!account.verdict.advice.empty()) say("  → {}", account.verdict.advice);
  if (!trouble.empty()) say("! what floxd does could not be looked at: {}", trouble);
  if (account.entries.empty()) return;
  const int64_t begin = account.entries.front().at;
  say("");
  for (const Entry& entry : account.entries) {
    if (!only.empty() && !entry.container.empty() && entry.container != only) continue;
    const std::string took = entry.seconds ? fmt::format(" [{:.3f} s]", *entry.seconds) : "";
    say("{}  {:>+9.3f} s  {:<10}  {}{} {}{}{}", clock_of(entry.at),
        static_cast<double>(entry.at - begin) / 1e3, entry.source,
        entry.container.empty() ? "" : entry.container + ": ", entry.what, entry.has_failed ? "✘ " : "",
        entry.text, took);
  }
}

ordered_json to_json(const PodState& pod, const Account& account, const std::string& trouble,
                     const std::string& only) {
  ordered_json timeline = ordered_json::array();
  for (const Entry& entry : account.entries) {
    if (!only.empty() && !entry.container.empty() && entry.container != only) continue;
    timeline.push_back({{"at_ms", entry.at},
                        {"source", entry.source},
                        {"container", entry.container},
                        {"what", entry.what},
                        {"text", entry.text},
                        {"seconds", entry.seconds ? ordered_json(*entry.seconds) : ordered_json()},
                        {"has_failed", entry.has_failed}});
  }
  return {{"namespace", pod.pod_namespace},
          {"pod", pod.name},
          {"node", pod.node},
          {"verdict", to_string(account.verdict.state)},
          {"text", account.verdict.text},
          {"advice", account.verdict.advice},
          {"trouble", trouble},
          {"timeline", timeline}};
}

void explain(Common& common, const WhyOptions& options) {
  const std::string& container = options.container;
  const Kubectl kubectl = common.kubectl();
  PodState pod = find_pod(kubectl, common, options.pod);
  if (!container.empty()) {
    std::erase_if(pod.containers, [&](const ContainerState& one) { return one.name != container; });
    if (pod.containers.empty())
      throw Error(ErrorKind::not_found,
                  fmt::format("pod {} has no container {}, or it is not on a node yet", pod.name,
                              printable(container, 100)),
                  "Run the command without -c.");
  }
  const std::vector<Event> events = read_events(kubectl.get(
      {"events", "--namespace=" + pod.pod_namespace, "--field-selector=involvedObject.uid=" + pod.uid}));
  std::string trouble;
  const auto starts = starts_of(kubectl, pod, trouble);
  const int64_t now = std::chrono::duration_cast<std::chrono::milliseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
  const Account account = account_of(pod, events, starts, now);
  common.found(account.verdict.state == Verdict::State::stuck,
               account.verdict.state == Verdict::State::unknown);
  if (options.json)
    print_json(to_json(pod, account, trouble, container));
  else
    print_text(pod, account, trouble, container);
}

}  // namespace

void add_why(CLI::App& app, Common& common) {
  auto options = std::make_shared<WhyOptions>();
  auto* command = app.add_subcommand("why", "Show the timeline of a pod's start and what it waits for");
  command->add_option("POD", options->pod, "name of the pod")->required();
  command->add_option("-c,--container", options->container, "only this container");
  command->add_flag("--json", options->json, "print JSON");
  command->footer(fmt::format(
      "The times are those of Kubernetes (whole seconds) and of the node's floxd. Who may not run 'kubectl "
      "exec' in the\n"
      "namespace of flox-node sees what floxd tells the pods of his own namespace.\n\n{}\n\n"
      "Examples:\n  kubectl flox why web-7d9c -n shop\n  kubectl flox why web-7d9c -c main --json",
      exit_codes));
  command->callback([options, &common] { explain(common, *options); });
}

}  // namespace flox::kubectl
