// The pods of Kubernetes manifests, as far as the node's policy asks about them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kube/reading/input.h"

namespace flox::cli {

struct ManifestContainer {
  std::string name, image;
  std::vector<std::string> args;        // command and args
  std::string package_version;          // FLOX_PACKAGE_VERSION; empty: not set
  bool version_from_elsewhere = false;  // it comes from a ConfigMap, a Secret or a field
};

struct ManifestPod {
  std::string called;  // "Deployment shop/web"
  std::string pod_namespace;
  std::optional<std::string> service_account;  // nothing: its token is not mounted, so that no node knows it
  std::map<std::string, std::string> annotations;
  std::vector<ManifestContainer> containers;  // init containers first
};

// The document's pod or pod template: of any kind that has one where Kubernetes' own have it; nothing if it
// has none. What else stands in it is not looked at: the API server does. Throws Error(invalid_input).
std::optional<ManifestPod> pod_of(const kube::InputDocument& document, const std::string& default_namespace);

}  // namespace flox::cli
