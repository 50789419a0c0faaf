#include "kube/kustomize.h"

#include <fmt/format.h>

#include <map>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "kube/manifest.h"

namespace flox::kube {
namespace {

using nlohmann::json;

const std::map<std::string, std::string>& merge_keys() {
  static const std::map<std::string, std::string> keys = {{"containers", "name"},
                                                          {"initContainers", "name"},
                                                          {"env", "name"},
                                                          {"volumes", "name"},
                                                          {"volumeMounts", "mountPath"},
                                                          {"ports", "containerPort"},
                                                          {"imagePullSecrets", "name"},
                                                          {"hostAliases", "ip"},
                                                          {"volumeDevices", "devicePath"},
                                                          {"topologySpreadConstraints", "topologyKey"}};
  return keys;
}

void merge_value(json& object, const std::string& field, const json& patch);

void merge_list(json& list, const json& patch, const std::string& key) {
  for (const auto& item : patch) {
    if (!item.is_object() || !item.contains(key)) continue;  // { $patch: replace } stands for the whole list
    auto found = list.begin();
    while (found != list.end() && !(found->is_object() && found->contains(key) && (*found)[key] == item[key]))
      ++found;
    if (item.value("$patch", "") == "delete") {
      if (found != list.end()) list.erase(found);
    } else if (found == list.end()) {
      list.push_back(item);
    } else {
      merge_patch(*found, item);
    }
  }
}

void merge_value(json& object, const std::string& field, const json& patch) {
  const auto key = merge_keys().find(field);
  if (patch.is_null()) {
    object.erase(field);
  } else if (patch.is_object() && patch.value("$patch", "") == "delete") {
    object.erase(field);
  } else if (patch.is_object()) {
    if (!object[field].is_object()) object[field] = json::object();
    merge_patch(object[field], patch);
  } else if (patch.is_array() && key != merge_keys().end() && object.contains(field) &&
             object[field].is_array()) {
    merge_list(object[field], patch, key->second);
  } else {
    object[field] = patch;
  }
}

std::string text_at(const json& object, const char* field) {
  return object.is_object() ? object.value(field, "") : "";
}
std::string name_of(const json& object) { return text_at(object.value("metadata", json::object()), "name"); }

struct Patch {
  json document;
  json target;  // null: the object that the patch itself names
  bool name_may_change = false;
  std::string source;
};

void apply(const Patch& patch, std::vector<json>& objects) {
  const std::string kind =
      patch.target.is_null() ? text_at(patch.document, "kind") : text_at(patch.target, "kind");
  const std::string name = patch.target.is_null() ? name_of(patch.document) : text_at(patch.target, "name");
  bool applied = false;
  for (auto& object : objects) {
    if (!kind.empty() && text_at(object, "kind") != kind) continue;
    if (!name.empty() && name_of(object) != name) continue;
    const json original = object["metadata"]["name"];
    merge_patch(object, patch.document);
    if (!patch.name_may_change) object["metadata"]["name"] = original;
    applied = true;
  }
  if (!applied) fail(ErrorKind::not_found, "{}: no object {} {} to patch", patch.source, kind, name);
}

fs::path kustomization_file(const fs::path& directory) {
  for (const char* name : {"kustomization.yaml", "kustomization.yml", "Kustomization"})
    if (fs::exists(directory / name)) return directory / name;
  fail(ErrorKind::not_found, "{}: no kustomization.yaml there", directory.string());
}

std::vector<json> read_resource(const fs::path& path) {
  if (fs::is_directory(path)) return read_kustomization(path);
  return read_documents(read_file(path), path);
}

std::vector<Patch> read_patch(const json& entry, const fs::path& directory, const std::string& source) {
  const std::string path = text_at(entry, "path"), inline_text = text_at(entry, "patch");
  std::vector<json> documents =
      path.empty() ? read_documents(inline_text, source)
                   : read_documents(read_file(directory / path), (directory / path).string());
  std::vector<Patch> patches;
  for (auto& document : documents) {
    if (document.is_array())
      fail(ErrorKind::invalid_input,
           "{}: JSON 6902 patches are not supported; pipe `kubectl kustomize {}` into `flox kube play -`",
           source, directory.string());
    Patch patch{std::move(document), entry.value("target", json()), false,
                path.empty() ? source : (directory / path).string()};
    patch.name_may_change = entry.value("options", json::object()).value("allowNameChange", false);
    patches.push_back(std::move(patch));
  }
  return patches;
}

}  // namespace

void merge_patch(json& object, const json& patch) {
  for (const auto& [field, value] : patch.items())
    if (field != "$patch") merge_value(object, field, value);
}

std::vector<json> read_kustomization(const fs::path& directory) {
  const fs::path file = kustomization_file(directory);
  std::vector<json> objects;
  for (const json& kustomization : read_documents(read_file(file), file)) {
    for (const auto& [field, value] : kustomization.items())
      if (field != "apiVersion" && field != "kind" && field != "resources" && field != "patches")
        throw Error(ErrorKind::invalid_input,
                    fmt::format("{}: the field {} is not supported here", file.string(), field),
                    fmt::format("Pipe it through kubectl: `kubectl kustomize {} | flox kube play -`",
                                directory.string()));
    for (const auto& resource : kustomization.value("resources", json::array()))
      for (auto& object : read_resource(directory / resource.get<std::string>()))
        objects.push_back(std::move(object));
    for (const auto& entry : kustomization.value("patches", json::array()))
      for (const auto& patch : read_patch(entry, directory, file)) apply(patch, objects);
  }
  return objects;
}

}  // namespace flox::kube
