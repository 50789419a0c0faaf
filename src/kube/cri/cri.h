// What flox-kube asks of a container runtime: the verbs of CRI with plain types. The one real implementation
// is connect_cri (gRPC to containerd); tests put a fake behind the same interface.
//
// Every call blocks until the runtime answers and may be made from any thread. Every call throws Error:
// unavailable if the runtime cannot be reached or does not answer in time, not_found for an id it does not
// know, internal with the runtime's own text otherwise. Times are nanoseconds since the epoch, 0 if not yet.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace flox::kube {

using StringMap = std::map<std::string, std::string>;

// For seccomp or AppArmor.
struct RuntimeProfile {
  enum class Type { unconfined, runtime_default, localhost } type = Type::unconfined;
  std::string localhost;  // a file for seccomp, a loaded profile's name for AppArmor
};

struct PortMapping {
  std::string protocol = "TCP";  // TCP, UDP or SCTP
  int container_port = 0;
  int host_port = 0;
  std::string host_ip;
};

struct HostNamespaces {
  bool network = false, pid = false, ipc = false;
};

// Ids of a pod with a user namespace of its own: from 0, and as many of the host's, which are no other pod's.
inline constexpr uint32_t user_range = 65536;

struct SandboxConfig {
  std::string name, uid, namespace_;
  unsigned attempt = 0;
  std::string hostname;
  std::string log_directory;
  std::optional<std::vector<std::string>> dns_servers;  // none: the machine's own resolv.conf
  std::vector<std::string> dns_searches, dns_options;
  std::vector<PortMapping> ports;
  StringMap labels, annotations, sysctls;
  std::string cgroup_parent;
  HostNamespaces host;
  bool share_process_namespace = false;
  uint32_t user_base = 0;  // the host's id behind the pod's id 0 in a user namespace; 0: the host's own users
  std::optional<int64_t> run_as_user, run_as_group;
  std::vector<int64_t> supplemental_groups;
  bool privileged = false;
};

struct MountConfig {
  std::string host_path, container_path;
  bool read_only = false;
  uint32_t user_base = 0;  // as the pod's
  enum class Propagation { none, from_host, both_ways } propagation = Propagation::none;
};

struct ContainerResources {
  int64_t cpu_period = 0, cpu_quota = 0, cpu_shares = 0;  // microseconds, microseconds, weight; 0: not set
  int64_t memory_limit = 0;                               // bytes; 0: none
  int64_t oom_score_adj = 0;
};

struct ContainerConfig {
  std::string name, image;
  unsigned attempt = 0;
  std::vector<std::string> command, args;
  std::string working_dir;
  std::vector<std::pair<std::string, std::string>> env;
  std::vector<MountConfig> mounts;
  StringMap labels, annotations;
  std::string log_path;  // relative to the sandbox's log_directory
  bool stdin_open = false, stdin_once = false, tty = false;
  ContainerResources resources;
  std::vector<std::string> add_capabilities, drop_capabilities, masked_paths, readonly_paths;
  bool privileged = false, readonly_rootfs = false, no_new_privileges = false;
  HostNamespaces host;
  uint32_t user_base = 0;
  bool share_process_namespace = false;
  std::optional<int64_t> run_as_user, run_as_group;
  std::vector<int64_t> supplemental_groups;
  RuntimeProfile seccomp;
  std::optional<RuntimeProfile> apparmor;  // none: as the runtime has it
};

struct SandboxInfo {
  std::string id, name, uid, namespace_;
  unsigned attempt = 0;
  bool ready = false;
  int64_t created_at = 0;
};

enum class ContainerState { created, running, exited, unknown };

struct ContainerInfo {
  std::string id, sandbox_id, name;
  unsigned attempt = 0;
  ContainerState state = ContainerState::unknown;
  int64_t created_at = 0;
  // Only from container_status:
  int64_t started_at = 0, finished_at = 0;
  int exit_code = 0;
  std::string reason, message;
};

struct ExecResult {
  int exit_code = 0;
  std::string out, err;
};

struct ImageInfo {
  std::string id;
  std::optional<int64_t> uid;  // the image's user, if a number
  std::string username;        // the image's user, if a name
};

class Cri {
 public:
  virtual ~Cri() = default;

  // "containerd 1.6.20".
  virtual std::string version() = 0;
  // Whether pods of this handler can have user namespaces of their own. A runtime that does not say, cannot.
  virtual bool has_user_namespaces(const std::string& handler) = 0;

  virtual std::string run_sandbox(const SandboxConfig& config, const std::string& handler) = 0;
  virtual void stop_sandbox(const std::string& id) = 0;
  virtual void remove_sandbox(const std::string& id) = 0;
  // Its address; empty in the host's network.
  virtual std::string sandbox_ip(const std::string& id) = 0;
  // Those that carry all these labels.
  virtual std::vector<SandboxInfo> list_sandboxes(const StringMap& labels) = 0;

  virtual std::string create_container(const std::string& sandbox_id, const ContainerConfig& config,
                                       const SandboxConfig& sandbox) = 0;
  virtual void start_container(const std::string& id) = 0;
  // SIGTERM, after `grace` SIGKILL; returns when the container has ended.
  virtual void stop_container(const std::string& id, std::chrono::seconds grace) = 0;
  virtual void remove_container(const std::string& id) = 0;
  // Has the runtime open the container's log by its path again, after it was moved away.
  virtual void reopen_log(const std::string& id) = 0;
  virtual std::vector<ContainerInfo> list_containers(const StringMap& labels) = 0;
  virtual ContainerInfo container_status(const std::string& id) = 0;

  // Runs a command in a running container without input; a zero timeout means none. Throws Error(unavailable)
  // when the time is up.
  virtual ExecResult exec(const std::string& id, const std::vector<std::string>& command,
                          std::chrono::seconds timeout) = 0;

  // Nothing if the runtime has no such image. Nothing is ever pulled.
  virtual std::optional<ImageInfo> image(const std::string& name) = 0;
};

// The runtime behind "unix:///run/containerd/containerd.sock" (or just the path). Connects at the first call.
std::unique_ptr<Cri> connect_cri(const std::string& endpoint);

}  // namespace flox::kube
