#include "env/lockfile.h"

#include <algorithm>

#include "base/error.h"
#include "base/printable.h"
#include "env/names.h"

namespace flox::env {
namespace {

using nlohmann::json;

std::string text(const json& object, const char* key, std::string fallback = {}) {
  auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::move(fallback);
}

// What messages and file names are made of.
void check_names(const LockedPackage& package) {
  for (const std::string* name : {&package.install_id, &package.attr_path, &package.version, &package.system})
    if (!can_be_name(*name))
      fail(ErrorKind::invalid_input, "'{}' cannot be a name: at most {} bytes, and no control characters",
           printable(*name, 60), most_name_bytes);
}

int priority_of(const json& entry, int fallback) {
  auto it = entry.find("priority");
  if (it == entry.end() || !it->is_number_integer()) return fallback;
  constexpr int64_t most = most_priority;
  // Read as a double, a number that fits no integer stays large.
  if (const auto number = it->get<double>(); number < -most || number > most)
    fail(ErrorKind::invalid_input, "'priority' is not between -{} and {}", most, most);
  return it->get<int>();
}

std::map<std::string, nix::StorePath> outputs_of(const json& entry) {
  auto outputs = entry.find("outputs");
  if (outputs == entry.end() || !outputs->is_object()) fail(ErrorKind::invalid_input, "'outputs' is missing");
  std::map<std::string, nix::StorePath> result;
  for (const auto& [name, path] : outputs->items()) {
    if (!path.is_string()) fail(ErrorKind::invalid_input, "output '{}' is not a store path", printable(name));
    result.emplace(name, nix::StorePath::parse(path.get_ref<const std::string&>()));
  }
  return result;
}

std::vector<std::string> outputs_to_install_of(const json& entry) {
  std::vector<std::string> names;
  for (const char* key : {"outputs_to_install", "requested-outputs-to-install", "outputs-to-install"}) {
    auto it = entry.find(key);
    if (it == entry.end() || !it->is_array()) continue;
    for (const json& name : *it) {
      if (!name.is_string()) fail(ErrorKind::invalid_input, "'{}' is not a list of names", key);
      names.push_back(name.get<std::string>());
    }
    break;
  }
  return names;
}

}  // namespace

// Catalog and flake packages have outputs; a store-path package is its own only output.
LockedPackage LockedPackage::from_json(nlohmann::json entry) {
  if (!entry.is_object()) fail(ErrorKind::invalid_input, "it is not a JSON object");
  LockedPackage package;
  package.install_id = text(entry, "install_id");
  package.attr_path = text(entry, "attr_path", text(entry, "locked-flake-attr-path", package.install_id));
  package.version = text(entry, "version");
  package.system = text(entry, "system", text(entry, "package-system"));
  package.description = text(entry, "description");
  package.group = text(entry, "group", "toplevel");
  check_names(package);
  package.priority = priority_of(entry, package.priority);
  if (entry.contains("store_path")) {
    package.outputs.emplace("out", nix::StorePath::parse(text(entry, "store_path")));
  } else {
    package.outputs = outputs_of(entry);
    package.outputs_to_install = outputs_to_install_of(entry);
  }
  package.json = std::move(entry);
  return package;
}

nix::StorePathSet LockedPackage::store_paths() const {
  nix::StorePathSet paths;
  for (const auto& [name, path] : outputs)
    if (outputs_to_install.empty() ||
        std::find(outputs_to_install.begin(), outputs_to_install.end(), name) != outputs_to_install.end())
      paths.insert(path);
  return paths;
}

Lockfile Lockfile::parse(std::string_view content, std::string_view name, const JsonLimits& limits) {
  json document = parse_json(content, name, limits);
  return in_context(name, [&] {
    if (!document.is_object()) fail(ErrorKind::invalid_input, "it is not a JSON object");
    if (auto version = document.find("lockfile-version");
        version == document.end() || !version->is_number_integer() || *version != 1)
      throw Error(ErrorKind::invalid_input, "only lockfile-version 1 is known",
                  "Remove the file and run 'flox lock' to lock the environment as its manifest is now.");
    Lockfile lock;
    lock.manifest = json::object();
    if (auto manifest = document.find("manifest"); manifest != document.end()) {
      if (!manifest->is_object()) fail(ErrorKind::invalid_input, "'manifest' is not an object");
      lock.manifest = std::move(*manifest);
    }
    if (auto packages = document.find("packages"); packages != document.end()) {
      if (!packages->is_array()) fail(ErrorKind::invalid_input, "'packages' is not a list");
      for (json& entry : *packages)
        lock.packages.push_back(in_context(fmt::format("package {}", lock.packages.size()),
                                           [&] { return LockedPackage::from_json(std::move(entry)); }));
    }
    for (const char* read : {"lockfile-version", "manifest", "packages"}) document.erase(read);
    lock.other = std::move(document);
    return lock;
  });
}

json Lockfile::document() const {
  json document = other;
  document["lockfile-version"] = 1;
  document["manifest"] = manifest;
  document["packages"] = json::array();
  for (const auto& package : packages) document["packages"].push_back(package.json);
  return document;
}

std::string Lockfile::to_string() const { return document().dump(2) + "\n"; }
std::string Lockfile::to_compact_string() const { return document().dump() + "\n"; }

std::vector<LockedPackage> Lockfile::for_system(std::string_view system) const {
  std::vector<LockedPackage> result;
  for (const auto& package : packages)
    if (package.system == system) result.push_back(package);
  return result;
}

}  // namespace flox::env
