#include "env/lockfile.h"

#include <algorithm>

#include "base/error.h"

namespace flox::env {
namespace {

using nlohmann::json;

std::string text(const json& object, const char* key, std::string fallback = {}) {
  auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::move(fallback);
}

// Catalog and flake packages have outputs; a store-path package is its own only output (flox.md 2).
LockedPackage package_from(const json& entry) {
  LockedPackage package;
  package.json = entry;
  package.install_id = text(entry, "install_id");
  package.attr_path = text(entry, "attr_path", text(entry, "locked-flake-attr-path", package.install_id));
  package.version = text(entry, "version");
  package.system = text(entry, "system", text(entry, "package-system"));
  package.description = text(entry, "description");
  package.group = text(entry, "group", "toplevel");
  if (auto it = entry.find("priority"); it != entry.end() && it->is_number_integer())
    package.priority = it->get<int>();
  if (entry.contains("store_path")) {
    package.outputs.emplace("out", nix::StorePath::parse(text(entry, "store_path")));
    return package;
  }
  auto outputs = entry.find("outputs");
  if (outputs == entry.end() || !outputs->is_object()) fail(ErrorKind::invalid_input, "'outputs' is missing");
  for (const auto& [name, path] : outputs->items())
    package.outputs.emplace(name, nix::StorePath::parse(path.get<std::string>()));
  for (const char* key : {"outputs_to_install", "requested-outputs-to-install", "outputs-to-install"})
    if (auto it = entry.find(key); it != entry.end() && it->is_array()) {
      package.outputs_to_install = it->get<std::vector<std::string>>();
      break;
    }
  return package;
}

}  // namespace

nix::StorePathSet LockedPackage::store_paths() const {
  nix::StorePathSet paths;
  for (const auto& [name, path] : outputs)
    if (outputs_to_install.empty() ||
        std::find(outputs_to_install.begin(), outputs_to_install.end(), name) != outputs_to_install.end())
      paths.insert(path);
  return paths;
}

Lockfile Lockfile::parse(std::string_view content) {
  json document = json::parse(content, nullptr, false);
  if (!document.is_object()) fail(ErrorKind::invalid_input, "the lockfile is not a JSON object");
  if (document.value("lockfile-version", 0) != 1)
    fail(ErrorKind::invalid_input, "only lockfile-version 1 is known");
  Lockfile lock;
  lock.manifest = document.value("manifest", json::object());
  size_t index = 0;
  const json packages = document.value("packages", json::array());
  for (const auto& entry : packages) {
    lock.packages.push_back(
        in_context(fmt::format("lockfile, package {}", index), [&] { return package_from(entry); }));
    ++index;
  }
  return lock;
}

std::string Lockfile::to_string() const {
  json document = {{"lockfile-version", 1}, {"manifest", manifest}, {"packages", json::array()}};
  for (const auto& package : packages) document["packages"].push_back(package.json);
  return document.dump(2) + "\n";
}

std::vector<LockedPackage> Lockfile::for_system(std::string_view system) const {
  std::vector<LockedPackage> result;
  for (const auto& package : packages)
    if (package.system == system) result.push_back(package);
  return result;
}

}  // namespace flox::env
