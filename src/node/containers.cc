#include "node/containers.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"

namespace flox::node {
namespace {

std::string cgroups_of(const std::string& pid) {
  try {
    return read_file("/proc/" + pid + "/cgroup");
  } catch (const Error&) {
    return {};  // it ended meanwhile
  }
}

}  // namespace

Containers::Containers(std::filesystem::path file) : file_(std::move(file)) {
  if (!fs::exists(file_)) return;
  auto document = nlohmann::json::parse(read_file(file_), nullptr, false);
  if (!document.is_array()) return;  // a torn file of an older version: leases are swept by what runs
  for (const auto& entry : document) {
    Container container{
        entry.value("id", ""),       entry.value("pod_id", ""), entry.value("pod_namespace", ""),
        entry.value("pod_name", ""), entry.value("name", ""),   entry.value("prepared_at", int64_t{0})};
    by_id_[container.id] = container;
  }
}

void Containers::save() const {
  auto document = nlohmann::json::array();
  for (const auto& [id, c] : by_id_)
    document.push_back({{"id", c.id},
                        {"pod_id", c.pod_id},
                        {"pod_namespace", c.pod_namespace},
                        {"pod_name", c.pod_name},
                        {"name", c.name},
                        {"prepared_at", c.prepared_at}});
  write_file(file_, document.dump(1) + "\n", 0600);
}

void Containers::add(const Container& container) {
  std::scoped_lock lock(mutex_);
  by_id_[container.id] = container;
  save();
}

std::optional<Container> Containers::remove(const std::string& id) {
  std::scoped_lock lock(mutex_);
  auto it = by_id_.find(id);
  if (it == by_id_.end()) return std::nullopt;
  Container container = it->second;
  by_id_.erase(it);
  save();
  return container;
}

std::optional<Container> Containers::of_process(pid_t pid) const {
  std::string cgroups = cgroups_of(std::to_string(pid));
  std::scoped_lock lock(mutex_);
  for (const auto& [id, container] : by_id_)
    if (!id.empty() && cgroups.find(id) != std::string::npos) return container;
  return std::nullopt;
}

std::map<std::string, Container> Containers::all() const {
  std::scoped_lock lock(mutex_);
  return by_id_;
}

std::set<std::string> ids_of_running_processes(const std::set<std::string>& known) {
  std::set<std::string> found;
  std::set<std::string> seen;  // processes of one container share their cgroups
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::string name = entry.path().filename();
    if (!std::ranges::all_of(name, [](unsigned char c) { return std::isdigit(c); })) continue;
    std::string cgroups = cgroups_of(name);
    if (!seen.insert(cgroups).second) continue;
    for (const auto& id : known)
      if (cgroups.find(id) != std::string::npos) found.insert(id);
  }
  return found;
}

}  // namespace flox::node
