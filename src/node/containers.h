// The containers that floxd has prepared: who they are, and which of them a peer process belongs to.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>

namespace flox::node {

struct Container {
  std::string id;
  std::string pod_id;         // sandbox id; may be empty under plain ctr
  std::string pod_namespace;  // Kubernetes namespace
  std::string pod_name;
  std::string name;
  int64_t prepared_at = 0;  // Unix seconds
};

// Thread-safe. Kept in a file, so that a floxd that starts again knows the containers that run.
class Containers {
 public:
  explicit Containers(std::filesystem::path file);

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

// Every id (64 hexadecimal digits, or one of `known`) that occurs in the cgroup path of a process that runs
// now.
std::set<std::string> ids_of_running_processes(const std::set<std::string>& known);

}  // namespace flox::node
