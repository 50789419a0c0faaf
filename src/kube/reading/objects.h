// The Kubernetes objects that flox-kube acts on, as typed values: what manifest.h reads and the supervisor
// runs. Only fields that have an effect here stand here; the reader reports every other one. Defaults are
// Kubernetes' own.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace flox::kube {

using StringMap = std::map<std::string, std::string>;
using std::chrono::seconds;

struct Metadata {
  std::string name, namespace_;  // namespace_ is empty for kinds that belong to the whole cluster
  StringMap labels, annotations;
};

// A value of a ConfigMap or Secret.
struct KeyRef {
  std::string object, key;
  bool optional = false;
};

struct EnvVar {
  std::string name;
  std::string value;       // unless one of the others is given
  std::string field_path;  // "metadata.name", "status.podIP", …
  std::optional<KeyRef> config_map_key, secret_key;
};

struct EnvFrom {
  std::string prefix;
  std::string object;
  bool is_secret = false, optional = false;
};

struct VolumeMount {
  std::string volume, mount_path;
  std::string sub_path, sub_path_expr;  // at most one of them; the second with $(VARIABLES) in it
  bool read_only = false;
  std::string propagation;  // "", "None", "HostToContainer", "Bidirectional"
};

struct ContainerPort {
  std::string name, protocol = "TCP", host_ip;
  int container_port = 0, host_port = 0;
};

struct ExecAction {
  std::vector<std::string> command;
};
struct HttpAction {
  std::string scheme = "http", host, port,
              path = "/";  // host empty: the pod; port: a number or a port's name
  std::vector<std::pair<std::string, std::string>> headers;
};
struct TcpAction {
  std::string host, port;
};

struct Probe {
  std::variant<ExecAction, HttpAction, TcpAction> action;
  seconds initial_delay{0}, period{10}, timeout{1};
  int failure_threshold = 3, success_threshold = 1;
  std::optional<seconds> termination_grace;  // when it has failed; none: the pod's
};

struct Resources {
  std::optional<int64_t> cpu_request, cpu_limit;        // thousandths of a CPU
  std::optional<int64_t> memory_request, memory_limit;  // bytes
};

// A seccomp or AppArmor profile.
struct SecurityProfile {
  std::string type;       // "" (not given), RuntimeDefault, Unconfined or Localhost
  std::string localhost;  // with Localhost: a file below the seccomp directory, or AppArmor's name for it
};

// A container's security context; what it leaves open comes from the pod's.
struct SecurityContext {
  std::optional<int64_t> run_as_user, run_as_group;
  std::optional<bool> run_as_non_root;
  bool read_only_root = false, privileged = false;
  bool allow_privilege_escalation = true;
  std::vector<std::string> add_capabilities, drop_capabilities;
  SecurityProfile seccomp, apparmor;
};

struct Container {
  std::string name, image;
  std::vector<std::string> command, args;
  std::string working_dir;
  std::vector<EnvVar> env;
  std::vector<EnvFrom> env_from;
  std::vector<VolumeMount> mounts;
  std::vector<ContainerPort> ports;
  std::optional<Probe> liveness, readiness, startup;
  Resources resources;
  SecurityContext security;
  bool stdin_open = false, stdin_once = false, tty = false;
};

struct EmptyDirVolume {
  bool in_memory = false;
  std::optional<int64_t> size_limit;  // bytes; only in memory
};
struct ClaimVolume {
  std::string claim;
  bool read_only = false;
};
// A ConfigMap or Secret as files.
struct KeyedVolume {
  std::string object;
  bool is_secret = false, optional = false;
  unsigned mode = 0644;
  struct Item {
    std::string key, path;
    std::optional<unsigned> mode;
  };
  std::vector<Item> items;  // empty: every key, as a file of its name
};
struct HostPathVolume {
  std::string path,
      type;  // type as in Kubernetes: "", Directory, DirectoryOrCreate, File, FileOrCreate, Socket, …
};

struct Volume {
  std::string name;
  std::variant<EmptyDirVolume, ClaimVolume, KeyedVolume, HostPathVolume> source;
};

enum class RestartPolicy { always, on_failure, never };

struct DnsConfig {
  std::vector<std::string> servers, searches, options;
};

struct PodSpec {
  std::string runtime_class;  // empty: the runtime's default handler
  std::vector<Container> init_containers, containers;
  std::vector<Volume> volumes;
  RestartPolicy restart_policy = RestartPolicy::always;
  seconds termination_grace{30};
  std::string hostname;  // empty: the pod's name
  std::optional<DnsConfig> dns;
  bool host_network = false, host_pid = false, host_ipc = false, share_process_namespace = false;
  bool host_users = true;  // false: a user namespace of its own
  std::optional<seconds> active_deadline;
  std::string service_account;
  // The pod's security context
  std::optional<int64_t> run_as_user, run_as_group, fs_group;
  std::optional<bool> run_as_non_root;
  std::vector<int64_t> supplemental_groups;
  StringMap sysctls;
  SecurityProfile seccomp, apparmor;
};

struct Pod {
  PodSpec spec;
};

struct PodTemplate {
  StringMap labels, annotations;
  PodSpec spec;
};

// A number or a share of the replicas: "1", "25%".
struct CountOrPercent {
  int value = 0;
  bool percent = false;
  // Of `total`, fractions rounded up or down.
  int of(int total, bool round_up) const {
    if (!percent) return value;
    return round_up ? (value * total + 99) / 100 : value * total / 100;
  }
};

struct Deployment {
  int replicas = 1;
  StringMap selector;
  PodTemplate pod_template;
  bool recreate = false;  // strategy Recreate: all old pods go before new ones come
  CountOrPercent max_surge{25, true}, max_unavailable{25, true};
};

struct Job {
  int completions = 1, parallelism = 1, backoff_limit = 6;
  std::optional<seconds> active_deadline;
  PodTemplate pod_template;
};

struct RuntimeClass {
  std::string handler;
};

// ConfigMap and Secret.
struct KeyedData {
  StringMap data;
  bool immutable = false;
};

struct PersistentVolumeClaim {
  std::string storage_class;
  std::optional<int64_t> requested;  // bytes
  bool read_only = false;            // its only access mode is ReadOnlyMany
};

struct NoBody {};  // Namespace, ServiceAccount, HorizontalPodAutoscaler: noted, with nothing to run

struct ObjectKey {
  std::string kind, namespace_, name;
  auto operator<=>(const ObjectKey&) const = default;
};
// "Deployment ticket-processor"; the namespace comes first unless it is "default": "Deployment
// ml-workloads/ticket-…".
std::string to_string(const ObjectKey& key);

struct Object {
  std::string kind, api_version;
  Metadata metadata;
  std::variant<NoBody, RuntimeClass, KeyedData, PersistentVolumeClaim, Pod, Deployment, Job> body;

  ObjectKey key() const { return {kind, metadata.namespace_, metadata.name}; }
};

}  // namespace flox::kube
