#include "shim/sandbox/pod_config.h"

#include "base/error.h"
#include "shim/runtime/options.h"

namespace flox::shim {
namespace {

// As the image of a pause container has it.
constexpr uint32_t nobody = 65535;

std::string resolv_conf_of(const wire::DNSConfig& dns) {
  std::string text;
  const auto line = [&text](const char* keyword, const auto& words) {
    if (words.empty()) return;
    text += keyword;
    for (const std::string& word : words) text += " " + word;
    text += "\n";
  };
  line("search", dns.searches());
  for (const std::string& server : dns.servers()) text += "nameserver " + server + "\n";
  line("options", dns.options());
  return text;
}

void check_cgroup(const std::string& path) {
  if (path.empty()) return;
  if (!path.starts_with('/') || (path + "/").find("/../") != std::string::npos)
    fail(ErrorKind::invalid_input, "the pod's cgroup \"{}\" is no absolute path", path);
}

}  // namespace

PodConfig PodConfig::decode(const wire::Any& options) {
  PodConfig result;
  if (options.type_url().empty()) return result;
  wire::PodSandboxConfig config;
  if (bare_type(options.type_url()) != "runtime.v1.PodSandboxConfig")
    fail(ErrorKind::invalid_input, "the sandbox's options are a {}, not CRI's PodSandboxConfig",
         options.type_url());
  if (!config.ParseFromString(options.value()))
    fail(ErrorKind::invalid_input, "the sandbox's options cannot be read");
  const wire::NamespaceOption& namespaces = config.linux().security_context().namespace_options();
  if (namespaces.has_userns_options() && namespaces.userns_options().mode() == wire::POD)
    throw Error(ErrorKind::invalid_input, "the sandbox API gives pods no user namespace (hostUsers: false)",
                "Run the pod under a handler of this node without sandboxer = \"shim\".");
  result.hostname = config.hostname();
  if (config.has_dns_config()) result.resolv_conf = resolv_conf_of(config.dns_config());
  result.cgroup = config.linux().cgroup_parent();
  check_cgroup(result.cgroup);
  result.host_network = namespaces.network() == wire::NODE;
  result.host_ipc = namespaces.ipc() == wire::NODE;
  result.host_pid = namespaces.pid() == wire::NODE;
  result.shared_pid = namespaces.pid() == wire::POD;
  if (result.host_network && !result.hostname.empty())
    fail(ErrorKind::invalid_input,
         "a pod of the node's network cannot have the hostname {}: it would be the node's", result.hostname);
  for (const auto& [name, value] : config.linux().sysctls()) {
    const std::string_view owner = oci::namespace_of_sysctl(name);
    const bool own = owner == "network" ? !result.host_network : owner == "ipc" && !result.host_ipc;
    if (!own) fail(ErrorKind::invalid_input, "the sysctl {} of this pod would be set for the node", name);
    result.sysctls.emplace_back(name, value);
  }
  return result;
}

oci::SandboxSpec PodConfig::sandbox_spec(const std::string& netns) const {
  oci::SandboxSpec spec;
  spec.uid = spec.gid = nobody;
  if (!netns.empty()) spec.namespaces.push_back({"network", netns});
  if (!host_ipc) spec.namespaces.push_back({"ipc", ""});
  if (!host_network) spec.namespaces.push_back({"uts", ""});
  spec.hostname = hostname;
  spec.sysctls = sysctls;
  return spec;
}

}  // namespace flox::shim
