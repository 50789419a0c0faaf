// floxd's settings.
#pragma once

#include <array>

#include "base/confined/sandbox.h"
#include "base/settings/setting.h"
#include "node/policy/store_view.h"
#include "protocol/places.h"

namespace flox::node {

using policy::StoreView;

enum class LazyStart { never, asked, always };

}  // namespace flox::node

namespace flox {

template <>
struct SettingWords<node::LazyStart> {
  static constexpr std::array<std::pair<std::string_view, node::LazyStart>, 3> all = {
      {{"never", node::LazyStart::never},
       {"asked", node::LazyStart::asked},
       {"always", node::LazyStart::always}}};
};

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
  LazyStart lazy_start = declare(
      lazy_start,
      {.key = "lazy_start",
       .help =
           "Which containers start before their files are there, which then come when they are read: none "
           "(never), those whose pods ask for it by the annotation flox.dev/lazy (asked), or all whose "
           "pods do not say otherwise (always)."},
      LazyStart::asked);
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
  bool report_environments = declare(
      report_environments,
      {.key = "report_environments",
       .help = "Whether floxd tells the catalog which environments run on this node, and in how many "
               "containers, for its pages. It signs in with the login in catalog_url or of netrc, which must "
               "be a token of the owner that runs the node."});
  std::string report_name = declare(
      report_name,
      {.key = "report_name",
       .help = "Name under which the node reports, of which no other node of that owner has the same; "
               "empty: its host name."});
  std::chrono::seconds report_interval = declare(
      report_interval,
      {.key = "report_interval",
       .help =
           "How often it reports although nothing else runs, from 20 s to 20 minutes. The catalog forgets "
           "a node that it has not heard of for three times as long."},
      std::chrono::minutes(5));
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

// Sharing store paths with the floxd of other nodes (docs/how-to/share-between-nodes.md).
struct PeerSettings : SettingGroup {
  PeerSettings() : SettingGroup("Sharing between nodes") {}

  std::vector<std::string> peers = declare(
      peers, {.key = "peers",
              .help = "HOST:PORT of other nodes' floxd, which are asked for missing store paths before the "
                      "caches are; of a name all addresses. This node itself may be among them."});
  std::optional<AddressPort> peer_resolver = declare(
      peer_resolver,
      {.key = "peer_resolver",
       .help = "IPv4 address and port of the DNS server that is asked for names in peers, as a cluster's "
               "own, which the node's resolver does not ask; empty: the node's resolver."});
  std::optional<AddressPort> peer_address = declare(
      peer_address,
      {.key = "peer_address",
       .option = "--peer-address",
       .help = "Where floxd serves other nodes, which show that they have the peers' key; empty: nowhere."});
  std::filesystem::path peer_key_file = declare(
      peer_key_file,
      {.key = "peer_key_file",
       .help = "File with keys, one a line, which only root may read: those that all nodes of the "
               "cluster have, of which this node shows the first and accepts all; and those of single "
               "nodes that read this one's store (NODE KEY). Without a key nothing is shared."},
      "/etc/flox/peers.key");
  std::vector<std::string> peer_public_keys = declare(
      peer_public_keys,
      {.key = "peer_public_keys",
       .help =
           "Public keys (NAME:BASE64) of publishers of whom all is public: other nodes are told of what "
           "they have signed, though no cache has shown it to this node without a pod's token. A key that "
           "signs private packages, too, must not be among them."});
  size_t peer_transfers = declare(
      peer_transfers,
      {.key = "peer_transfers",
       .help = "Store paths that are sent to other nodes at once, half as many to one of them; the others "
               "are told to come later.",
       .least = 1,
       .most = 64},
      8);
  Size peer_rate = declare(peer_rate,
                           {.key = "peer_rate",
                            .help = "Bytes in a second that other nodes are sent at most, all together; 0: "
                                    "no limit."},
                           {0});
  Size peer_rate_each =
      declare(peer_rate_each,
              {.key = "peer_rate_each",
               .help = "Bytes in a second that one other node is sent at most; 0: no limit of its own."},
              {0});
};

// A store that several nodes share (docs/how-to/share-a-store.md).
struct SharedStoreSettings : SettingGroup {
  SharedStoreSettings() : SettingGroup("A store that nodes share") {}

  std::string store_writer = declare(
      store_writer,
      {.key = "store_writer",
       .option = "--store-writer",
       .help =
           "HOST:PORT at which the floxd of the node that writes the shared store serves others "
           "(its peer_address): this node reads that store, and has that floxd realise what its pods need; "
           "empty: this node's store is its own."},
      "");
  std::filesystem::path store_mount = declare(
      store_mount,
      {.key = "store_mount",
       .help = "Where a node that reads a shared store has the writer's /nix/store mounted; floxd shows it, "
               "read-only, at ROOT/nix/store."},
      "/nix/store");
  std::string store_reader_name = declare(
      store_reader_name,
      {.key = "store_reader_name",
       .help = "By what name the writer knows this node, which reads its store; empty: the host name."},
      "");
  bool store_readers = declare(
      store_readers,
      {.key = "store_readers",
       .option = "--store-readers",
       .help = "Whether other nodes read this node's store: those that have the peers' key may have floxd "
               "realise for them at peer_address."},
      false);
  std::chrono::seconds store_reader_lease =
      declare(store_reader_lease,
              {.key = "store_reader_lease",
               .help = "How long what a reading node has leased stays when the node is not heard of."},
              std::chrono::hours(24));
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

// What floxd fetches before a pod asks for it.
struct PrefetchSettings : SettingGroup {
  PrefetchSettings() : SettingGroup("Prefetching by floxd") {}

  std::vector<std::string> prefetch = declare(
      prefetch,
      {.key = "prefetch",
       .help = "Environments (OWNER/NAME[:GENERATION]), packages (NAME[@VERSION]) and store paths that this "
               "node always has. floxd reads the list again on SIGHUP."});
  std::chrono::seconds prefetch_refresh =
      declare(prefetch_refresh,
              {.key = "prefetch_refresh",
               .help = "How often the catalog is asked again what the names of that list mean, and what "
                       "failed is tried again."},
              std::chrono::minutes(15));
  bool pod_prefetch = declare(pod_prefetch,
                              {.key = "pod_prefetch",
                               .help = "Whether pods may have floxd prefetch what they might start with "
                                       "(flox node prefetch in a pod)."},
                              true);
  size_t prefetch_at_once = declare(prefetch_at_once,
                                    {.key = "prefetch_at_once",
                                     .help = "Environments that are prefetched at once.",
                                     .least = 1,
                                     .most = 64},
                                    2);
  Size prefetch_rate = declare(prefetch_rate,
                               {.key = "prefetch_rate",
                                .help = "Bytes a second that all prefetching together may download; 0: no "
                                        "limit. While a pod waits for its own environment nothing is "
                                        "prefetched."},
                               {50 << 20});
  std::chrono::seconds prefetch_time = declare(
      prefetch_time,
      {.key = "prefetch_time",
       .help = "How long after it was asked for an environment may be on its way, at the most; what has come "
               "by then stays for the next request."},
      std::chrono::hours(2));
  std::chrono::seconds prefetch_keep =
      declare(prefetch_keep,
              {.key = "prefetch_keep",
               .help = "How long what was prefetched is kept from garbage collection if no pod uses it."},
              std::chrono::hours(24));
  Amount prefetch_min_free =
      declare(prefetch_min_free,
              {.key = "prefetch_min_free",
               .help = "Nothing is prefetched that would leave less than this free on the store's file "
                       "system: a size (20G) or a share of it (15%); more than gc_min_free, so that pods' "
                       "own packages have room."},
              {.share = 0.15});
  size_t namespace_prefetches =
      declare(namespace_prefetches,
              {.key = "namespace_prefetches",
               .help = "Environments that the pods of one namespace may have floxd prefetch.",
               .least = 1,
               .most = 10'000},
              1'000);
  Size namespace_prefetch_disk = declare(
      namespace_prefetch_disk,
      {.key = "namespace_prefetch_disk",
       .help = "Size of the closures together that are prefetched for one namespace and not used yet; 0: no "
               "limit."},
      {64ULL << 30});
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
