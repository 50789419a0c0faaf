#include "node/floxd/containers.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "base/error.h"
#include "base/log.h"
#include "base/os/file.h"

namespace flox::node {
namespace {

using nlohmann::json;

constexpr std::string_view tenant_prefix = "namespace ";

std::string cgroups_of(const std::string& pid) {
  try {
    return read_file("/proc/" + pid + "/cgroup");
  } catch (const Error&) {
    return {};  // it ended meanwhile
  }
}

bool is_cgroup_of(std::string_view part, std::string_view id) {
  if (part == id) return true;
  constexpr std::string_view scope = ".scope";
  if (!part.ends_with(scope)) return false;
  part.remove_suffix(scope.size());
  return part.size() > id.size() && part.ends_with(id) && part[part.size() - id.size() - 1] == '-';
}

// Takes what is in front of the separator off `rest`, and the separator.
std::string_view next(std::string_view& rest, char separator) {
  std::string_view part = rest.substr(0, rest.find(separator));
  rest.remove_prefix(std::min(part.size() + 1, rest.size()));
  return part;
}

// The first part of a cgroup's path that is a container's.
std::string outermost(std::string_view path, const std::set<std::string>& ids) {
  while (!path.empty()) {
    const std::string_view part = next(path, '/');
    for (const std::string& id : ids)
      if (!id.empty() && is_cgroup_of(part, id)) return id;
  }
  return {};
}

json to_json(const Container& c) {
  return {{"id", c.id},
          {"pod_id", c.pod_id},
          {"pod_namespace", c.pod_namespace},
          {"pod_name", c.pod_name},
          {"name", c.name},
          {"prepared_at", c.prepared_at},
          {"view", c.view},
          {"service_account", c.service_account},
          {"pod_uid", c.pod_uid},
          {"by_nri", c.by_nri},
          {"environment_owner", c.environment.owner},
          {"environment_name", c.environment.name},
          {"environment_generation", c.environment.generation}};
}

// Nothing in a file of an earlier release.
RunEnvironment environment_in(const json& entry, const std::string& name) {
  const auto generation = entry.find("environment_generation");
  if (generation == entry.end() || !generation->is_number_integer()) return {};
  return {.owner = optional_string(entry, "environment_owner", name),
          .name = optional_string(entry, "environment_name", name),
          .generation = generation->get<int64_t>()};
}

Container from_json(const json& entry, const std::string& name) {
  const json& prepared_at = member(entry, "prepared_at", name);
  if (!prepared_at.is_number_integer())
    fail(ErrorKind::invalid_input, "{}: 'prepared_at' is not a whole number", name);
  const auto by_nri = entry.find("by_nri");
  return {.id = string_member(entry, "id", name),
          .pod_id = string_member(entry, "pod_id", name),
          .pod_namespace = string_member(entry, "pod_namespace", name),
          .pod_name = string_member(entry, "pod_name", name),
          .name = string_member(entry, "name", name),
          .prepared_at = prepared_at.get<int64_t>(),
          .view = optional_string(entry, "view", name),
          .service_account = optional_string(entry, "service_account", name),
          .pod_uid = optional_string(entry, "pod_uid", name),
          .by_nri = by_nri != entry.end() && by_nri->is_boolean() && by_nri->get<bool>(),
          .environment = environment_in(entry, name)};
}

}  // namespace

std::string pod_holder(const Container& container) {
  return std::string(pod_holder_prefix) + (container.pod_id.empty() ? container.id : container.pod_id);
}

std::string tenant_of(const Container& container) {
  if (container.pod_namespace.empty()) return pod_holder(container);
  return std::string(tenant_prefix) + container.pod_namespace;
}

std::string name_of_tenant(const std::string& tenant) {
  return tenant.starts_with(tenant_prefix) ? tenant.substr(tenant_prefix.size()) : tenant;
}

Containers::Containers(std::filesystem::path file) : file_(std::move(file)) {
  if (!fs::exists(file_)) return;
  try {
    const json document = parse_json(read_file(file_, JsonLimits().bytes), file_.string());
    if (!document.is_array()) fail(ErrorKind::invalid_input, "{}: not a list", file_.string());
    for (const auto& entry : document) {
      Container container = from_json(entry, file_.string());
      container.instance = next_instance_++;
      by_id_.insert_or_assign(container.id, std::move(container));
    }
    first_instance_ = next_instance_;
  } catch (const Error& error) {
    log::warning("{}: running containers are unknown", error.what());
  }
}

void Containers::save() const {
  json document = json::array();
  for (const auto& [id, container] : by_id_) document.push_back(to_json(container));
  write_file(file_, document.dump(1) + "\n", 0600);
}

void Containers::expect(Container& container) {
  std::scoped_lock lock(mutex_);
  container.instance = next_instance_++;
  by_id_.insert_or_assign(container.id, container);
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

std::optional<Container> Containers::of_cgroups(std::string_view cgroups) const {
  std::scoped_lock lock(mutex_);
  std::set<std::string> ids;
  for (const auto& [id, container] : by_id_) ids.insert(id);
  auto it = by_id_.find(container_in(cgroups, ids));
  return it == by_id_.end() ? std::nullopt : std::optional(it->second);
}

bool Containers::has(const std::string& id) const {
  std::scoped_lock lock(mutex_);
  return by_id_.contains(id);
}

bool Containers::told_by_nri(const std::string& id) {
  std::scoped_lock lock(mutex_);
  const auto known = by_id_.find(id);
  if (known == by_id_.end()) return false;
  known->second.by_nri = true;
  return true;
}

void Containers::end_nri() {
  std::scoped_lock lock(mutex_);
  for (auto& [id, container] : by_id_) container.by_nri = false;
}

bool Containers::is_current(const Container& container) const {
  std::scoped_lock lock(mutex_);
  const auto it = by_id_.find(container.id);
  return it != by_id_.end() && it->second.instance == container.instance;
}

std::map<std::string, Container> Containers::all() const {
  std::scoped_lock lock(mutex_);
  return by_id_;
}

std::string container_in(std::string_view cgroups, const std::set<std::string>& ids) {
  std::string found;
  while (!cgroups.empty()) {
    std::string_view line = next(cgroups, '\n');  // HIERARCHY:CONTROLLERS:PATH
    next(line, ':');
    next(line, ':');
    const std::string id = outermost(line, ids);
    if (id.empty()) continue;  // containers have no cgroup of their own in some hierarchies
    if (!found.empty() && found != id) return {};
    found = id;
  }
  return found;
}

std::set<std::string> ids_of_running_processes(const std::set<std::string>& ids) {
  std::set<std::string> found;
  std::set<std::string> seen;  // processes of one container share their cgroups
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (!std::ranges::all_of(name, [](unsigned char c) { return std::isdigit(c); })) continue;
    std::string cgroups = cgroups_of(name);
    if (!seen.insert(cgroups).second) continue;
    if (std::string id = container_in(cgroups, ids); !id.empty()) found.insert(std::move(id));
  }
  return found;
}

}  // namespace flox::node
