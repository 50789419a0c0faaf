#include "kube/commands/workloads.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/letter_case.h"
#include "kube/reading/objects.h"

namespace flox::kube {

using nlohmann::json;

std::string new_generation() { return random_uid(); }

std::string kubectl_name(const Object& object) {
  const std::string kind = lower_case(object.kind);
  const size_t slash = object.api_version.find('/');
  const std::string group = slash == std::string::npos ? "" : "." + object.api_version.substr(0, slash);
  return fmt::format("{}{}/{}", kind, group, object.metadata.name);
}

void check_variable(const std::string& name, const std::string& value) {
  try {
    json(name + value).dump();
  } catch (const json::exception&) {
    fail(ErrorKind::invalid_input, "a variable that was given is not UTF-8");
  }
}

StoredObject find_workload(const Session& session, const std::string& target,
                           const std::vector<std::string>& kinds) {
  const size_t slash = target.find('/');
  std::string kind = slash == std::string::npos ? "" : target.substr(0, slash);
  const std::string name = slash == std::string::npos ? target : target.substr(slash + 1);
  if (kind == "deployments" || kind == "deploy" || kind == "deployment.apps") kind = "deployment";
  std::vector<StoredObject> found;
  for (auto& object : session.state.objects()) {
    const std::string lower = lower_case(object.key.kind);
    if (object.key.name != name || lower != kind ||
        std::find(kinds.begin(), kinds.end(), lower) == kinds.end())
      continue;
    if (!session.namespace_.empty() && object.key.namespace_ != session.namespace_) continue;
    found.push_back(std::move(object));
  }
  if (found.empty())
    throw Error(ErrorKind::not_found, fmt::format("there is no {}", target),
                fmt::format("Write it as {}/NAME, and pass its namespace with -n.", kinds.front()));
  if (found.size() > 1)
    throw Error(ErrorKind::invalid_input, fmt::format("{} is in several namespaces", target),
                "Pass -n NAMESPACE.");
  return found.front();
}

}  // namespace flox::kube
