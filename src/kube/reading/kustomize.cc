#include "kube/reading/kustomize.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/os/file.h"
#include "kube/reading/input.h"

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

bool deletes(const json& patch) {
  return patch.is_object() && patch.contains("$patch") && patch["$patch"] == json("delete");
}

void merge_value(json& object, const std::string& field, const json& patch);

void merge_list(json& list, const json& patch, const std::string& key) {
  for (const auto& item : patch) {
    if (!item.is_object() || !item.contains(key)) continue;  // { $patch: replace } stands for the whole list
    auto found = list.begin();
    while (found != list.end() && !(found->is_object() && found->contains(key) && (*found)[key] == item[key]))
      ++found;
    if (deletes(item)) {
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
  } else if (deletes(patch)) {
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

// The text of a field, or nothing. Throws Error(invalid_input) if it is something else.
std::string text_at(const json& object, const char* field) {
  if (!object.is_object() || !object.contains(field) || object[field].is_null()) return {};
  if (!object[field].is_string()) fail(ErrorKind::invalid_input, "{}: must be a text", field);
  return object[field].get<std::string>();
}
std::string name_of(const json& object) {
  return object.is_object() && object.contains("metadata") ? text_at(object["metadata"], "name") : "";
}
// The items of a list, or none.
const json& items_at(const json& object, const char* field) {
  static const json none = json::array();
  if (!object.contains(field) || object[field].is_null()) return none;
  if (!object[field].is_array()) fail(ErrorKind::invalid_input, "{}: must be a list", field);
  return object[field];
}

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
    if (!object.is_object() || !object["metadata"].is_object())
      fail(ErrorKind::invalid_input, "{}: what is patched has no metadata", patch.source);
    const json original = object["metadata"]["name"];
    merge_patch(object, patch.document);
    if (!object["metadata"].is_object()) object["metadata"] = json::object();
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

// A file that a kustomization names: as kubectl has it, one in or below the kustomization's own directory,
// with links followed to where they lead.
std::string read_file_of(const fs::path& directory, const std::string& name) {
  const fs::path path = directory / name;
  if (!fs::exists(path)) fail(ErrorKind::not_found, "{}: there is no such file", path.string());
  const std::string root = fs::canonical(directory), real = fs::canonical(path);
  if (!real.starts_with(root == "/" ? root : root + "/"))
    throw Error(
        ErrorKind::untrusted,
        fmt::format("{}: the file is not in or below the kustomization's directory {}", path.string(), root),
        "Name a directory with a kustomization of its own instead.");
  return read_manifest_file(real);
}

// The kustomizations that are being read, each because of the one before it.
using Chain = std::vector<fs::path>;
constexpr size_t longest_chain = 16;
constexpr size_t most_objects = 10'000;

std::vector<json> read_chain(const fs::path& directory, Chain& chain);

std::vector<json> read_resource(const fs::path& directory, const std::string& name, Chain& chain) {
  if (name.empty()) fail(ErrorKind::invalid_input, "a resource has no name");
  if (!fs::is_directory(directory / name))
    return read_documents(read_file_of(directory, name), (directory / name).string());
  if (name.starts_with("/"))
    fail(ErrorKind::invalid_input, "the directory {} must be named by a relative path", name);
  return read_chain(directory / name, chain);
}

std::vector<Patch> read_patch(const json& entry, const fs::path& directory, const std::string& source) {
  const std::string path = text_at(entry, "path"), inline_text = text_at(entry, "patch");
  const std::string from = path.empty() ? source : (directory / path).string();
  std::vector<Patch> patches;
  for (auto& document : read_documents(path.empty() ? inline_text : read_file_of(directory, path), from)) {
    if (document.is_array())
      fail(ErrorKind::invalid_input,
           "{}: JSON 6902 patches are not supported; pipe `kubectl kustomize {}` into `flox kube play -`",
           source, directory.string());
    if (!document.is_object()) fail(ErrorKind::invalid_input, "{}: a patch must be a map of fields", from);
    Patch patch{std::move(document), {}, false, from};
    if (entry.is_object() && entry.contains("target")) patch.target = entry["target"];
    if (entry.is_object() && entry.contains("options") && entry["options"].is_object())
      patch.name_may_change =
          entry["options"].contains("allowNameChange") && entry["options"]["allowNameChange"] == json(true);
    patches.push_back(std::move(patch));
  }
  return patches;
}

std::vector<json> read_chain(const fs::path& directory, Chain& chain) {
  const fs::path file = kustomization_file(directory), real = fs::canonical(directory);
  if (std::find(chain.begin(), chain.end(), real) != chain.end())
    fail(ErrorKind::invalid_input, "{}: the kustomization is a resource of itself", file.string());
  if (chain.size() == longest_chain)
    fail(ErrorKind::invalid_input, "{}: kustomizations are nested too deep", file.string());
  chain.push_back(real);
  std::vector<json> objects;
  for (const json& kustomization : read_documents(read_file_of(directory, file.filename()), file)) {
    if (!kustomization.is_object())
      fail(ErrorKind::invalid_input, "{}: expected a map of fields", file.string());
    for (const auto& [field, value] : kustomization.items())
      if (field != "apiVersion" && field != "kind" && field != "resources" && field != "patches")
        throw Error(ErrorKind::invalid_input,
                    fmt::format("{}: the field {} is not supported here", file.string(), field),
                    fmt::format("Run 'kubectl kustomize {} | flox kube play -'.", directory.string()));
    in_context(file.string(), [&] {
      for (const auto& resource : items_at(kustomization, "resources")) {
        if (!resource.is_string()) fail(ErrorKind::invalid_input, "resources: must be a list of paths");
        for (auto& object : read_resource(directory, resource.get<std::string>(), chain))
          objects.push_back(std::move(object));
        if (objects.size() > most_objects)
          fail(ErrorKind::invalid_input, "there are more than {} objects", most_objects);
      }
      for (const auto& entry : items_at(kustomization, "patches"))
        for (const auto& patch : read_patch(entry, directory, file)) apply(patch, objects);
    });
  }
  chain.pop_back();
  return objects;
}

}  // namespace

void merge_patch(json& object, const json& patch) {
  for (const auto& [field, value] : patch.items())
    if (field != "$patch") merge_value(object, field, value);
}

std::vector<json> read_kustomization(const fs::path& directory) {
  Chain chain;
  return read_chain(directory, chain);
}

}  // namespace flox::kube
