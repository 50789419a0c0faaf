// The containers that floxd has prepared, and which of them a client process belongs to.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace flox::node {

// A generation of an environment of the catalog; number 0: none.
struct RunEnvironment {
  std::string owner, name;
  int64_t generation = 0;
};

struct Container {
  std::string id;
  std::string pod_id;         // sandbox id; under plain ctr the container's own
  std::string pod_namespace;  // Kubernetes namespace
  std::string pod_name;
  std::string name;
  int64_t prepared_at = 0;          // Unix seconds
  std::string view;                 // of the store (StoreViews); empty: it sees the whole store
  std::string service_account;      // empty: it is not known
  std::string pod_uid = {};         // Kubernetes'; empty: it is not known
  bool by_nri = false;              // containerd tells its end: it need not have processes in its cgroup
  RunEnvironment environment = {};  // none: it has a package, or what floxd did not resolve
  uint64_t instance = 0;            // tells it from an earlier container of its id; not kept in the file
};

inline constexpr std::string_view pod_holder_prefix = "pod-";
// Whose leases and budgets a pod's are: "pod-ID".
std::string pod_holder(const Container& container);
// The tenant in scheduling: pods of one Kubernetes namespace are one tenant; without Kubernetes each pod is
// one.
std::string tenant_of(const Container& container);
// What everybody else calls the tenant: its namespace; a pod of no namespace keeps its name.
std::string name_of_tenant(const std::string& tenant);

// Thread-safe. Kept in a file, so that a restarted floxd knows the running containers.
class Containers {
 public:
  // A file that cannot be read is logged and ignored: running containers that are unknown lose their leases
  // with the next sweep, and are prepared again when they are restarted.
  explicit Containers(std::filesystem::path file);

  // Adds a container that is being prepared, in memory only: a restarted floxd does not know it. Sets its
  // instance.
  void expect(Container& container);
  void add(const Container& container);
  // Forgets the container; gives what was known of it.
  std::optional<Container> remove(const std::string& id);
  // The container to whose cgroups a process belongs, by its /proc/PID/cgroup. Nothing if it is not one of
  // these.
  std::optional<Container> of_cgroups(std::string_view cgroups) const;
  bool has(const std::string& id) const;
  // Whether there is such a container; from now on containerd tells its end.
  bool told_by_nri(const std::string& id);
  // Containers whose end containerd would tell end with their processes from now on: floxd is no plugin.
  void end_nri();
  // Whether the container is still there, and no later one of its id.
  bool is_current(const Container& container) const;
  // Whether this floxd has prepared it, and not one before.
  bool prepared_now(const Container& container) const noexcept {
    return container.instance >= first_instance_;
  }
  std::map<std::string, Container> all() const;

 private:
  void save() const;
  std::filesystem::path file_;
  mutable std::mutex mutex_;
  std::map<std::string, Container> by_id_;
  uint64_t next_instance_ = 1;
  uint64_t first_instance_ = 1;  // of those that are not from the file
};

// The one of `ids` whose cgroup a process is in, by its /proc/PID/cgroup; empty if none. A part of a cgroup's
// path is a container's if it is its id or "PREFIX-ID.scope" (systemd). The outermost one counts: what a
// container makes below its own cgroup can be named as it likes. Empty too if hierarchies (cgroup v1)
// disagree.
std::string container_in(std::string_view cgroups, const std::set<std::string>& ids);

// Those of `ids` (containers or sandboxes) in whose cgroups a process runs now.
std::set<std::string> ids_of_running_processes(const std::set<std::string>& ids);

}  // namespace flox::node
