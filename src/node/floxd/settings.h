// floxd's settings.
#pragma once

#include <array>

#include "base/confined/sandbox.h"
#include "base/settings/setting.h"
#include "node/policy/store_view.h"
#include "protocol/places.h"

namespace flox::node {

using policy::StoreView;

}  // namespace flox::node

namespace flox {

template <>
struct SettingWords<node::StoreView> {
  static constexpr std::array<std::pair<std::string_view, node::StoreView>, 2> all = {
      {{"node", node::StoreView::node}, {"closure", node::StoreView::closure}}};
};

template <>
struct SettingWords<IsolationPolicy> {
  static constexpr std::array<std::pair<std::string_view, IsolationPolicy>, 2> all = {
      {{"required", IsolationPolicy::required}, {"best-effort", IsolationPolicy::best_effort}}};
};

}  // namespace flox

namespace flox::node {

struct FloxdSettings : SettingGroup {
  FloxdSettings() : SettingGroup("floxd") {}

  std::filesystem::path node_socket = declare(
      node_socket,
      {.key = "node_socket",
       .variable = protocol::node_socket_variable,
       .option = "--node-socket",
       .help =
           "Socket at which floxd serves the shim; only root may use it. The shim reads the variable, too."},
      protocol::node_socket);
  std::filesystem::path pod_socket_dir =
      declare(pod_socket_dir,
              {.key = "pod_socket_dir",
               .option = "--pod-socket-dir",
               .help = "Directory that pods see as /run/flox; floxd makes pod.sock in it."},
              "/run/flox/pod");
  AddressPort metrics_address = declare(metrics_address,
                                        {.key = "metrics_address",
                                         .option = "--metrics",
                                         .help = "Where floxd serves /metrics, /healthz and /readyz."},
                                        {.address = "127.0.0.1", .port = 9808});
  std::optional<AddressPort> registry_address =
      declare(registry_address,
              {.key = "registry_address",
               .option = "--registry",
               .help = "Where floxd serves stub images and environments as images to containerd on this "
                       "node; empty: nowhere."},
              AddressPort{.address = "127.0.0.1", .port = 9809});
  std::filesystem::path registry_key_file = declare(
      registry_key_file,
      {.key = "registry_key_file",
       .help = "File with the key with which containerd asks for images of flox.local, which only root "
               "may read; `flox node install` makes it, and writes it into containerd's hosts.toml."},
      "/etc/flox/registry.key");
  std::filesystem::path containerd_root = declare(
      containerd_root,
      {.key = "containerd_root",
       .help = "containerd's root directory, where floxd looks which images of flox.local there still "
               "are."},
      "/var/lib/containerd");
  std::chrono::seconds image_keep = declare(
      image_keep,
      {.key = "image_keep",
       .help = "How long an environment that was pulled as an image stays when containerd has no such "
               "image any more."},
      std::chrono::minutes(10));
  std::filesystem::path nri_socket = declare(
      nri_socket,
      {.key = "nri_socket",
       .option = "--nri",
       .help = "containerd's socket for plugins (NRI): with it pods without the RuntimeClass flox get the "
               "environment that their annotations name, under whatever runtime; empty: they do not. "
               "`flox node install --nri` sets it."},
      "");
  std::vector<std::string> nri_other_handlers =
      declare(nri_other_handlers,
              {.key = "nri_other_handlers",
               .help = "Runtime handlers whose pods are left to their shim, which asks floxd itself."},
              {"flox"});
  std::string traces_to = declare(
      traces_to, {.key = "traces_to",
                  .option = "--traces-to",
                  .help = "URL of an OpenTelemetry collector on this node (OTLP over HTTP), as "
                          "http://127.0.0.1:4318, that gets a trace of each container's start; empty: none.",
                  .is_url = true});
  size_t trace_percent = declare(
      trace_percent,
      {.key = "trace_percent",
       .option = "--trace-percent",
       .help = "How many of a hundred starts that belong to no trace of containerd's are recorded. A start "
               "that does is recorded if containerd records it.",
       .most = 100},
      100);
  IsolationPolicy isolation =
      declare(isolation,
              {.key = "isolation",
               .help = "Whether floxd refuses to run (required) or warns (best-effort) where the kernel "
                       "cannot isolate the "
                       "processes that fetch, or the store cannot be made read-only for them."},
              IsolationPolicy::required);
  StoreView store_view = declare(
      store_view,
      {.key = "store_view",
       .help = "What a container sees of the store: all of it (node) or its own closure only (closure)."},
      StoreView::node);
  bool allow_nix_mutable = declare(
      allow_nix_mutable,
      {.key = "allow_nix_mutable",
       .help = "Whether pods may ask for a /nix that they can change (annotation flox.dev/nix-mutable)."},
      false);
  bool pod_install = declare(
      pod_install,
      {.key = "pod_install", .help = "Whether pods may install packages themselves (flox install in a pod)."},
      true);
  std::chrono::seconds moving_answer_age = declare(
      moving_answer_age,
      {.key = "moving_answer_age",
       .help = "For how long a pod's containers restart with what the pod was answered for a name that may "
               "come to mean something else (NAME, OWNER/NAME); then the catalog is asked again. 0: as long "
               "as the pod is there."},
      std::chrono::seconds(0));
  std::filesystem::path kubelet_dir = declare(
      kubelet_dir,
      {.key = "kubelet_dir",
       .help = "Root directory of the kubelet: while it has a directory of a pod, the pod's packages stay."},
      "/var/lib/kubelet");
  std::map<std::string, std::string> namespace_environments = declare(
      namespace_environments,
      {.key = "namespace_environments",
       .help = "NAMESPACE=PACKAGE[@VERSION]: the environment that flox activate takes in that Kubernetes "
               "namespace's pods if they bring none."});
};

// Who may run what, and where floxd writes what it decided (docs/reference/policy.md).
struct PolicySettings : SettingGroup {
  PolicySettings() : SettingGroup("Policy of the node") {}

  std::filesystem::path policy = declare(
      policy,
      {.key = "policy",
       .option = "--policy",
       .help = "Rules that say which pods may have what. Empty: /etc/flox/policy.toml if it is there."},
      "");
  std::vector<std::string> service_account_keys = declare(
      service_account_keys,
      {.key = "service_account_keys",
       .help = "Files with the public keys of the tokens that the cluster mounts into pods. Without them no "
               "pod's service account is known."});
  std::string audit =
      declare(audit,
              {.key = "audit",
               .help = "Where floxd writes what pods were allowed and denied, as lines of JSON: journald, or "
                       "the path of a file; empty: nowhere."},
              "");
  Size audit_size =
      declare(audit_size,
              {.key = "audit_size",
               .help = "The audit file is set aside as FILE.1 when it has this size, and FILE.1 as FILE.2."},
              {16 << 20});
  size_t audit_files = declare(audit_files,
                               {.key = "audit_files",
                                .help = "How many audit files are kept, with the current one.",
                                .least = 1,
                                .most = 100},
                               4);
};

// When floxd collects garbage (store/gc).
struct GcSettings : SettingGroup {
  GcSettings() : SettingGroup("Garbage collection by floxd") {}

  Amount gc_min_free = declare(gc_min_free,
                               {.key = "gc_min_free",
                                .help = "Collect garbage when less than this is free on the store's file "
                                        "system: a size (20G) or a share of "
                                        "it (10%); 0: never."},
                               {.share = 0.10});
  Amount gc_target_free = declare(
      gc_target_free,
      {.key = "gc_target_free",
       .help = "Collect until this much is free; what has not been used for the longest time goes first."},
      {.share = 0.15});
  std::chrono::seconds gc_keep_newer =
      declare(gc_keep_newer,
              {.key = "gc_keep_newer",
               .help = "Keep what was in use within this time, whatever is free; 0: no such rule."},
              std::chrono::seconds(0));
};

// What pods may take of floxd. 0 is no limit.
struct PodBudgets : SettingGroup {
  PodBudgets() : SettingGroup("Limits of pods at floxd (0: none)") {}

  size_t pod_connections = declare(
      pod_connections, {.key = "pod_connections", .help = "Connections of one pod to floxd at once."}, 16);
  size_t pod_requests =
      declare(pod_requests,
              {.key = "pod_requests",
               .help = "Requests of one pod that floxd works on at once; eight times as many may wait."},
              2);
  std::chrono::seconds pod_request_time =
      declare(pod_request_time,
              {.key = "pod_request_time", .help = "The longest time that one request of a pod may take."},
              std::chrono::minutes(15));
  Size pod_lock_size = declare(
      pod_lock_size, {.key = "pod_lock_size", .help = "The largest lock that a pod may ask to realise."},
      {256 << 10});
  size_t pod_environments =
      declare(pod_environments,
              {.key = "pod_environments",
               .help = "Environments that a pod may install itself; they are kept until it ends."},
              32);
  Size pod_locks = declare(
      pod_locks, {.key = "pod_locks", .help = "Size of these environments' locks together."}, {4 << 20});
  Size pod_disk =
      declare(pod_disk,
              {.key = "pod_disk",
               .help = "Size of these environments' closures together, and of what was fetched for the pod's "
                       "locks that failed."},
              {32ULL << 30});
  size_t pods_connections =
      declare(pods_connections,
              {.key = "pods_connections", .help = "Connections of all pods to floxd at once."}, 1024);
  size_t pods_requests = declare(
      pods_requests,
      {.key = "pods_requests",
       .help = "Requests of all pods that floxd works on at once; a container that starts waits for none of "
               "them."},
      8);
  size_t pods_environments = declare(
      pods_environments,
      {.key = "pods_environments", .help = "Environments that all pods together may have installed."}, 2048);
};

}  // namespace flox::node
