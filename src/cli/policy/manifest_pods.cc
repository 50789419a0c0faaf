#include "cli/policy/manifest_pods.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "base/error.h"

namespace flox::cli {
namespace {

using nlohmann::json;

// A member that may be missing or null; null then.
const json& part(const json& object, const char* key) {
  static const json none;
  if (!object.is_object()) return none;
  const auto found = object.find(key);
  return found == object.end() ? none : *found;
}

std::string text_part(const json& object, const char* key) {
  const json& value = part(object, key);
  if (value.is_null()) return {};
  if (!value.is_string()) fail(ErrorKind::invalid_input, "'{}' is not a string", key);
  return value.get<std::string>();
}

std::vector<std::string> texts_part(const json& object, const char* key) {
  std::vector<std::string> texts;
  for (const json& value : part(object, key)) {
    if (!value.is_string()) fail(ErrorKind::invalid_input, "'{}' has what is not a string", key);
    texts.push_back(value.get<std::string>());
  }
  return texts;
}

// What has a pod's metadata and spec; null if the document has no such part.
const json& template_of(const json& document) {
  static const json none;
  const json& spec = part(document, "spec");
  for (const json* candidate :
       {&document, &part(spec, "template"), &part(part(part(spec, "jobTemplate"), "spec"), "template"),
        &part(document, "template")})
    if (part(part(*candidate, "spec"), "containers").is_array()) return *candidate;
  return none;
}

ManifestContainer container_of(const json& document) {
  ManifestContainer container{.name = text_part(document, "name"),
                              .image = text_part(document, "image"),
                              .args = texts_part(document, "command"),
                              .package_version = {}};
  for (std::string& word : texts_part(document, "args")) container.args.push_back(std::move(word));
  for (const json& variable : part(document, "env")) {
    if (text_part(variable, "name") != "FLOX_PACKAGE_VERSION") continue;
    container.package_version = text_part(variable, "value");
    container.version_from_elsewhere = !part(variable, "valueFrom").is_null();
  }
  return container;
}

}  // namespace

std::optional<ManifestPod> pod_of(const kube::InputDocument& document, const std::string& default_namespace) {
  const json& object = document.json;
  const json& pod = template_of(object);
  if (pod.is_null()) return std::nullopt;
  return in_context(document.source, [&] {
    const json& metadata = part(object, "metadata");
    const json& spec = part(pod, "spec");
    ManifestPod result;
    result.pod_namespace = text_part(metadata, "namespace");
    if (result.pod_namespace.empty()) result.pod_namespace = default_namespace;
    result.called =
        fmt::format("{} {}/{}", text_part(object, "kind"), result.pod_namespace, text_part(metadata, "name"));
    for (const auto& [name, value] : part(part(pod, "metadata"), "annotations").items()) {
      if (!value.is_string()) fail(ErrorKind::invalid_input, "annotation {} is not a string", name);
      result.annotations.emplace(name, value.get<std::string>());
    }
    std::string account = text_part(spec, "serviceAccountName");
    if (account.empty()) account = text_part(spec, "serviceAccount");
    if (part(spec, "automountServiceAccountToken") != json(false))
      result.service_account = account.empty() ? "default" : account;
    for (const char* list : {"initContainers", "containers"})
      for (const json& container : part(spec, list)) result.containers.push_back(container_of(container));
    return result;
  });
}

}  // namespace flox::cli
