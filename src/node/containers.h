// The containers that floxd has prepared: who they are, and which of them a peer process belongs to.
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

struct Container {
  std::string id;
  std::string pod_id;         // sandbox id; under plain ctr the container's own
  std::string pod_namespace;  // Kubernetes namespace
  std::string pod_name;
  std::string name;
  int64_t prepared_at = 0;  // Unix seconds
  std::string view;         // of the store (StoreViews); empty: it sees the whole store
};

// Thread-safe. Kept in a file, so that a floxd that starts again knows the containers that run.
class Containers {
 public:
  // A file that cannot be read is logged and passed over: what runs without being known loses its lease with
  // the next sweep, and is prepared anew when it is started again.
  explicit Containers(std::filesystem::path file);

  // Known from now on, but not yet to a floxd that starts again: it is being prepared.
  void expect(const Container& container);
  void add(const Container& container);
  // Forgets the container; gives what was known of it.
  std::optional<Container> remove(const std::string& id);
  // The container in whose cgroup the process runs. Nothing if it is none of ours, or gone.
  std::optional<Container> of_process(pid_t pid) const;
  std::map<std::string, Container> all() const;

 private:
  void save() const;
  std::filesystem::path file_;
  mutable std::mutex mutex_;
  std::map<std::string, Container> by_id_;
};

// The one of `ids` whose cgroup a process is in, by its /proc/PID/cgroup; empty if none. A part of a cgroup's
// path is a container's if it is its id or "PREFIX-ID.scope" (systemd). The outermost one counts: what a
// container makes below its own cgroup can be named as it likes.
std::string container_in(std::string_view cgroups, const std::set<std::string>& ids);

// Those of `ids` (containers or sandboxes) in whose cgroups a process runs now.
std::set<std::string> ids_of_running_processes(const std::set<std::string>& ids);

}  // namespace flox::node
