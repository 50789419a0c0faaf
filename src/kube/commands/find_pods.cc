#include "kube/commands/find_pods.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace flox::kube {

using nlohmann::json;

namespace {

// "deployment/web" → {"Deployment", "web"}; "web" and "pod/web" → {"", "web"}.
std::pair<std::string, std::string> split_target(const std::string& target) {
  const size_t slash = target.find('/');
  if (slash == std::string::npos) return {"", target};
  const std::string kind = target.substr(0, slash), name = target.substr(slash + 1);
  if (kind == "pod" || kind == "pods" || kind == "po") return {"", name};
  if (kind == "deployment" || kind == "deployments" || kind == "deploy" || kind == "deployment.apps")
    return {"Deployment", name};
  if (kind == "job" || kind == "jobs" || kind == "job.batch") return {"Job", name};
  throw Error(ErrorKind::invalid_input, fmt::format("{}: pods do not belong to a {}", target, kind),
              "Write POD, pod/POD, deployment/NAME or job/NAME.");
}

}  // namespace

std::vector<PodStatus> all_pods(const Session& session) {
  std::vector<PodStatus> pods;
  const json status = session.state.status();
  for (const auto& item : status.at("pods")) {
    PodStatus pod = pod_status_from_json(item);
    if (session.namespace_.empty() || pod.namespace_ == session.namespace_) pods.push_back(std::move(pod));
  }
  return pods;
}

std::vector<PodStatus> find_pods(const Session& session, const std::string& target) {
  const auto [kind, name] = split_target(target);
  std::vector<PodStatus> found;
  for (auto& pod : all_pods(session))
    if (kind.empty() ? pod.name == name : pod.owner_kind == kind && pod.owner_name == name)
      found.push_back(std::move(pod));
  if (found.empty())
    throw Error(ErrorKind::not_found,
                fmt::format("{} \"{}\" not found{}", kind.empty() ? "pod" : "pod of " + kind, name,
                            session.namespace_.empty() ? "" : " in namespace " + session.namespace_),
                "Run 'flox kube ps' to list the pods.");
  for (const auto& pod : found)
    if (pod.namespace_ != found.front().namespace_)
      throw Error(ErrorKind::invalid_input, fmt::format("{} is in several namespaces", target),
                  "Pass -n NAMESPACE.");
  return found;
}

PodStatus find_pod(const Session& session, const std::string& target) {
  const std::vector<PodStatus> pods = find_pods(session, target);
  const auto running = std::find_if(
      pods.begin(), pods.end(), [](const auto& pod) { return pod.phase == "Running" && !pod.terminating; });
  return running == pods.end() ? pods.front() : *running;
}

const ContainerStatus& find_container(const PodStatus& pod, const std::string& name) {
  std::string wanted = name;
  if (const auto annotated = pod.annotations.find("kubectl.kubernetes.io/default-container");
      wanted.empty() && annotated != pod.annotations.end())
    wanted = annotated->second;
  if (wanted.empty()) return pod.containers.front();
  std::string names;
  for (const auto* list : {&pod.containers, &pod.init_containers})
    for (const auto& container : *list) {
      if (container.name == wanted) return container;
      names += (names.empty() ? "" : ", ") + container.name;
    }
  fail(ErrorKind::not_found, "pod {} has no container {}; it has {}", pod.name, wanted, names);
}

}  // namespace flox::kube
