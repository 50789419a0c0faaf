// The spec of a pod's sandbox, read for those who would run its pause process themselves.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "oci/runtime_spec.h"

namespace flox::oci {

// What of CRI's sandbox spec concerns a process that does nothing. Its mounts, masked paths, capabilities and
// seccomp profile are left out: a pause process that has no files, no capability and next to no system calls
// has less.
struct SandboxSpec {
  struct Namespace {
    std::string type;  // as in the spec: "network", "ipc", …
    std::string path;  // to be joined; empty: a new one
  };
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::vector<uint32_t> additional_gids;
  std::optional<int> oom_score_adj;
  std::string hostname;
  std::vector<Namespace> namespaces;
  std::vector<std::pair<std::string, std::string>> sysctls;  // "net.ipv4.ip_forward", "1"
  std::string cgroups_path;                                  // absolute, cgroupfs form
  uint64_t cpu_shares = 0;                                   // 0: not given

  // Whether it is in a namespace of this type that is not ours.
  bool has_namespace(std::string_view type) const;

  // Nothing if the spec is not CRI's plain one, or asks for anything that is not above: hooks, a user
  // namespace, labels of a security module, limits, a program other than
  // /pause, or a hostname or sysctl that would be the node's. `why` says what it was.
  static std::optional<SandboxSpec> of(const RuntimeSpec& spec, std::string& why);
};

// The namespace whose sysctl this is, "network" or "ipc"; empty for one of the whole node, or one that we do
// not know.
std::string_view namespace_of_sysctl(std::string_view name);

}  // namespace flox::oci
