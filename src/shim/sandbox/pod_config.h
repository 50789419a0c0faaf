// What a pod's sandbox is to be, of CRI's PodSandboxConfig (docs/formats/sandbox.md).
#pragma once  // Fuzzed by fuzz/pod_config.cc.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "oci/sandbox_spec.h"
#include "shim/protocol/sandbox.pb.h"

namespace flox::shim {

struct PodConfig {
  std::string hostname;                    // empty: the node's
  std::optional<std::string> resolv_conf;  // the file's text; nothing: the node's
  std::string cgroup;                      // the pod's, absolute, without ".."; empty: it has none
  bool host_network = false;
  bool host_ipc = false;
  bool host_pid = false;
  bool shared_pid = false;  // its containers share a pid namespace
  std::vector<std::pair<std::string, std::string>> sysctls;

  // From the options of CreateSandbox; without any, what CRI has as defaults, but pid namespaces apart.
  // Throws Error(invalid_input) for another message, for a user namespace, which only a pod with a pause
  // container gets, for a cgroup that is no absolute path, and for a hostname or sysctl that would be set for
  // the node.
  static PodConfig decode(const wire::Any& options);

  // The namespaces as a pause process would get them; `netns`: the network's, empty: the node's.
  oci::SandboxSpec sandbox_spec(const std::string& netns) const;
};

}  // namespace flox::shim
