#include "kube/pods/state_dir.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/data/json.h"
#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"

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

constexpr size_t most_bytes = 64 << 20;  // of one file that we wrote

json read_json(const Directory& directory, const std::string& name) {
  const std::string source = directory.name() + "/" + name;
  return in_context("reading " + source, [&] {
    return parse_json(directory.read_file(name, most_bytes), source, {.bytes = most_bytes, .depth = 80});
  });
}

// Calls `read` with every JSON file of the directory. What is damaged is for the log.
template <typename Read>
void each_json(const Directory& directory, Read read) {
  for (const auto& name : directory.names()) {
    if (!name.ends_with(".json")) continue;
    try {
      read(read_json(directory, name));
    } catch (const std::exception& exception) {
      const Error error = to_error(exception);
      if (error.kind() != ErrorKind::not_found)  // removed meanwhile
        log::error("{}/{} is skipped: {}", directory.name(), name, error.what());
    }
  }
}

std::string object_file(const ObjectKey& key) {
  const std::string name = fmt::format("{}.{}.{}.json", key.kind, key.namespace_, key.name);
  return file_name(name, "the object");
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
    const Directory directory(root_);
    struct stat status {};
    if (::fstat(directory.fd(), &status) != 0) fail_errno(errno, "examining it");
    if (status.st_uid != ::geteuid())
      throw Error(ErrorKind::untrusted, fmt::format("it belongs to user {}", status.st_uid),
                  "Name a directory of your own with --state.");
    if (::fchmod(directory.fd(), 0700) != 0) fail_errno(errno, "closing it to others");
    auto open = [&](const char* name) {
      return std::make_shared<const Directory>(directory.make_directory(name, 0700));
    };
    objects_ = open("objects");
    pods_ = open("pods");
    claims_ = open("claims");
    open("logs");
  });
}

std::string StateDir::id() const {
  uint64_t hash = 14695981039346656037ULL;
  for (const unsigned char c : root_.string()) hash = (hash ^ c) * 1099511628211ULL;
  return fmt::format("{:016x}", hash);
}

std::vector<StoredObject> StateDir::objects() const {
  std::vector<StoredObject> objects;
  each_json(*objects_, [&](const json& json) {
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

void StateDir::save(const StoredObject& object) const {
  json set_env = json::object();
  for (const auto& [name, value] : object.set_env) set_env[name] = value ? json(*value) : json();
  const json json = {{"kind", object.key.kind},         {"namespace", object.key.namespace_},
                     {"name", object.key.name},         {"document", object.document},
                     {"play_env", object.play_env},     {"set_env", set_env},
                     {"generation", object.generation}, {"created_at", object.created_at}};
  objects_->write_file(object_file(object.key), json.dump(1), 0600);
}

void StateDir::remove(const ObjectKey& key) const { objects_->remove(object_file(key)); }

std::vector<PodRecord> StateDir::pods() const {
  std::vector<PodRecord> pods;
  each_json(*pods_, [&](const json& json) { pods.push_back(pod_record_from_json(json)); });
  return pods;
}

void StateDir::save(const PodRecord& pod) const {
  pods_->write_file(pod.uid + ".json", to_json(pod).dump(1), 0600);
}

void StateDir::remove_pod(const std::string& uid) const { pods_->remove(uid + ".json"); }

fs::path StateDir::log_dir(const PodRecord& pod) const {
  return root_ / "logs" /
         file_name(fmt::format("{}_{}_{}", pod.namespace_(), pod.name(), pod.uid), "the log directory");
}

json StateDir::status() const {
  if (!fs::exists(status_file())) return {{"pods", json::array()}, {"workloads", json::array()}};
  return read_json(Directory(root_), "status.json");
}

}  // namespace flox::kube
