#include "kube/pods/pod_security.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace flox::kube {
namespace {

const std::set<std::string> baseline_capabilities = {
    "AUDIT_WRITE",      "CHOWN",   "DAC_OVERRIDE", "FOWNER",  "FSETID", "KILL",      "MKNOD",
    "NET_BIND_SERVICE", "SETFCAP", "SETGID",       "SETPCAP", "SETUID", "SYS_CHROOT"};
const std::set<std::string> restricted_capabilities = {"NET_BIND_SERVICE"};
const std::set<std::string> safe_sysctls = {"kernel.shm_rmid_forced",
                                            "net.ipv4.ip_local_port_range",
                                            "net.ipv4.ip_unprivileged_port_start",
                                            "net.ipv4.tcp_syncookies",
                                            "net.ipv4.ping_group_range",
                                            "net.ipv4.ip_local_reserved_ports",
                                            "net.ipv4.tcp_keepalive_time",
                                            "net.ipv4.tcp_fin_timeout",
                                            "net.ipv4.tcp_keepalive_intvl",
                                            "net.ipv4.tcp_keepalive_probes",
                                            "net.ipv4.tcp_rmem",
                                            "net.ipv4.tcp_wmem"};

std::string pod_violates_baseline(const PodSpec& spec) {
  if (spec.host_network || spec.host_pid || spec.host_ipc) return "host namespaces";
  for (const auto& volume : spec.volumes)
    if (std::holds_alternative<HostPathVolume>(volume.source))
      return fmt::format("hostPath volume {}", volume.name);
  for (const auto& [name, value] : spec.sysctls)
    if (!safe_sysctls.contains(name)) return fmt::format("forbidden sysctl {}", name);
  if (spec.seccomp.type == "Unconfined") return "seccompProfile Unconfined";
  if (spec.apparmor.type == "Unconfined") return "appArmorProfile Unconfined";
  return {};
}

// A probe with a host of its own has this machine ask whatever it can reach in the pod's stead.
bool probes_a_host(const std::optional<Probe>& probe) {
  if (!probe) return false;
  if (const auto* http = std::get_if<HttpAction>(&probe->action)) return !http->host.empty();
  const auto* tcp = std::get_if<TcpAction>(&probe->action);
  return tcp != nullptr && !tcp->host.empty();
}

std::string violates_baseline(const Container& container) {
  const SecurityContext& security = container.security;
  if (security.privileged) return "privileged";
  for (const auto& capability : security.add_capabilities)
    if (!baseline_capabilities.contains(capability)) return fmt::format("capability {}", capability);
  for (const auto& port : container.ports)
    if (port.host_port != 0) return fmt::format("hostPort {}", port.host_port);
  if (security.seccomp.type == "Unconfined") return "seccompProfile Unconfined";
  if (security.apparmor.type == "Unconfined") return "appArmorProfile Unconfined";
  for (const auto* probe : {&container.liveness, &container.readiness, &container.startup})
    if (probes_a_host(*probe)) return "a probe of another host";
  return {};
}

std::string violates_restricted(const Container& container, const PodSpec& spec) {
  const SecurityContext& security = container.security;
  if (security.allow_privilege_escalation) return "allowPrivilegeEscalation is not false";
  if (!security.run_as_non_root.value_or(spec.run_as_non_root.value_or(false)))
    return "runAsNonRoot is not true";
  if (security.run_as_user.value_or(spec.run_as_user.value_or(1)) == 0) return "runAsUser is 0";
  const std::string& seccomp = security.seccomp.type.empty() ? spec.seccomp.type : security.seccomp.type;
  if (seccomp != "RuntimeDefault" && seccomp != "Localhost") return "no seccompProfile";
  const auto& drop = security.drop_capabilities;
  if (std::find(drop.begin(), drop.end(), "ALL") == drop.end()) return "capabilities are not all dropped";
  for (const auto& capability : security.add_capabilities)
    if (!restricted_capabilities.contains(capability)) return fmt::format("capability {}", capability);
  return {};
}

}  // namespace

std::string enforced_level(const StringMap& labels) {
  const auto found = labels.find("pod-security.kubernetes.io/enforce");
  if (found == labels.end() || found->second == "privileged") return "privileged";
  return found->second == "baseline" ? "baseline" : "restricted";
}

bool is_laxer(const std::string& level, const std::string& other) {
  const auto rank = [](const std::string& name) {
    return name == "privileged" ? 0 : name == "baseline" ? 1 : 2;
  };
  return rank(level) < rank(other);
}

std::string pod_security_violation(const PodSpec& spec, const std::string& level) {
  if (level == "privileged") return {};
  if (std::string why = pod_violates_baseline(spec); !why.empty()) return why;
  for (const auto* list : {&spec.init_containers, &spec.containers})
    for (const auto& container : *list) {
      std::string why = violates_baseline(container);
      if (why.empty() && level == "restricted") why = violates_restricted(container, spec);
      if (!why.empty()) return fmt::format("container {}: {}", container.name, why);
    }
  return {};
}

const PodSpec* pod_spec_of(const Object& object) {
  if (const auto* pod = std::get_if<Pod>(&object.body)) return &pod->spec;
  if (const auto* deployment = std::get_if<Deployment>(&object.body)) return &deployment->pod_template.spec;
  if (const auto* job = std::get_if<Job>(&object.body)) return &job->pod_template.spec;
  return nullptr;
}

}  // namespace flox::kube
