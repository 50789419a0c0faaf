#include "kube/state_dir.h"

#include <fmt/format.h>

#include "base/error.h"

namespace flox::kube {
namespace {

using nlohmann::json;

json* pod_spec_of(json& document) {
  const std::string kind = document.value("kind", "");
  if (kind == "Pod") return &document["spec"];
  if (kind == "Deployment" || kind == "Job") return &document["spec"]["template"]["spec"];
  return nullptr;
}

void set_variable(json& environment, const std::string& name, const std::optional<std::string>& value) {
  for (auto entry = environment.begin(); entry != environment.end(); ++entry) {
    if (entry->value("name", "") != name) continue;
    if (value)
      *entry = {{"name", name}, {"value", *value}};
    else
      environment.erase(entry);
    return;
  }
  if (value) environment.push_back({{"name", name}, {"value", *value}});
}

json read_json(const fs::path& path) {
  return in_context("reading " + path.string(), [&] { return json::parse(read_file(path)); });
}

template <typename Read>
void each_json(const fs::path& dir, Read read) {
  for (const auto& entry : fs::directory_iterator(dir))
    if (entry.path().extension() == ".json" && entry.is_regular_file()) {
      try {
        read(read_json(entry.path()));
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::not_found) throw;  // removed meanwhile
      }
    }
}

}  // namespace

void add_environment(json& document, const std::map<std::string, std::optional<std::string>>& variables) {
  json* spec = pod_spec_of(document);
  if (!spec || variables.empty()) return;
  for (const char* list : {"initContainers", "containers"}) {
    if (!spec->contains(list) || !(*spec)[list].is_array()) continue;
    for (auto& container : (*spec)[list]) {
      if (!container["env"].is_array()) container["env"] = json::array();
      for (const auto& [name, value] : variables) set_variable(container["env"], name, value);
    }
  }
}

json StoredObject::effective() const {
  json result = document;
  add_environment(result, {play_env.begin(), play_env.end()});
  add_environment(result, set_env);
  return result;
}

StateDir::StateDir(fs::path root) {
  in_context("opening the state directory " + root.string(), [&] {
    fs::create_directories(root);
    root_ = fs::canonical(root);
    for (const char* name : {"objects", "pods", "claims", "logs"}) fs::create_directories(root_ / name);
    for (const char* name : {"objects", "pods"}) fs::permissions(root_ / name, fs::perms::owner_all);
  });
}

std::string StateDir::id() const {
  uint64_t hash = 14695981039346656037ULL;
  for (const unsigned char c : root_.string()) hash = (hash ^ c) * 1099511628211ULL;
  return fmt::format("{:016x}", hash);
}

std::vector<StoredObject> StateDir::objects() const {
  std::vector<StoredObject> objects;
  each_json(objects_dir(), [&](const json& json) {
    StoredObject object;
    object.key = {json.at("kind"), json.at("namespace"), json.at("name")};
    object.document = json.at("document");
    object.play_env = json.at("play_env").get<StringMap>();
    for (const auto& [name, value] : json.at("set_env").items())
      object.set_env[name] = value.is_null() ? std::nullopt : std::optional(value.get<std::string>());
    object.generation = json.at("generation");
    object.created_at = json.at("created_at");
    objects.push_back(std::move(object));
  });
  return objects;
}

namespace {
fs::path object_file(const fs::path& dir, const ObjectKey& key) {
  return dir / fmt::format("{}.{}.{}.json", key.kind, key.namespace_, key.name);
}
}  // namespace

void StateDir::save(const StoredObject& object) const {
  json set_env = json::object();
  for (const auto& [name, value] : object.set_env) set_env[name] = value ? json(*value) : json();
  const json json = {{"kind", object.key.kind},         {"namespace", object.key.namespace_},
                     {"name", object.key.name},         {"document", object.document},
                     {"play_env", object.play_env},     {"set_env", set_env},
                     {"generation", object.generation}, {"created_at", object.created_at}};
  write_file(object_file(objects_dir(), object.key), json.dump(1), 0600);
}

void StateDir::remove(const ObjectKey& key) const { fs::remove(object_file(objects_dir(), key)); }

std::vector<PodRecord> StateDir::pods() const {
  std::vector<PodRecord> pods;
  each_json(root_ / "pods", [&](const json& json) { pods.push_back(pod_record_from_json(json)); });
  return pods;
}

void StateDir::save(const PodRecord& pod) const {
  write_file(root_ / "pods" / (pod.uid + ".json"), to_json(pod).dump(1), 0600);
}

void StateDir::remove_pod(const std::string& uid) const { fs::remove(root_ / "pods" / (uid + ".json")); }

fs::path StateDir::log_dir(const PodRecord& pod) const {
  return root_ / "logs" / fmt::format("{}_{}_{}", pod.namespace_(), pod.name(), pod.uid);
}

json StateDir::status() const {
  if (!fs::exists(status_file())) return {{"pods", json::array()}, {"workloads", json::array()}};
  return read_json(status_file());
}

}  // namespace flox::kube
