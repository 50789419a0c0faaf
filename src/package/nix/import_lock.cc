#include "package/nix/import_lock.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/settings/units.h"
#include "package/imported/imported_package.h"
#include "package/nix/import_nix.h"

namespace flox::package {
namespace {

const nix::StorePath& main_output(const env::LockedPackage& package) {
  const auto out = package.outputs.find("out");
  return out == package.outputs.end() ? package.outputs.begin()->second : out->second;
}

std::string text_in(const nlohmann::json& entry, const char* key) {
  const auto found = entry.find(key);
  return found != entry.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Packages of a catalog have their name there; of a flake or a store path, what its derivation is called.
std::string name_of(const env::LockedPackage& package) {
  const bool of_catalog =
      !package.json.contains("store_path") && !package.json.contains("locked-flake-attr-path");
  if (of_catalog && !package.attr_path.empty()) return package.attr_path;
  if (const std::string name = text_in(package.json, "pname"); !name.empty()) return name;
  return split_store_name(main_output(package).name()).name;
}

catalog::PackageBuild build_of(const env::LockedPackage& package, bool all_outputs) {
  if (package.outputs.empty()) fail(ErrorKind::invalid_input, "it has no outputs");
  catalog::PackageBuild build;
  build.name = name_of(package);
  build.version =
      package.version.empty() ? split_store_name(main_output(package).name()).version : package.version;
  if (build.version.empty()) build.version = "0.0.0";  // as that of a build without one
  build.system = package.system;
  build.description = package.description;
  build.license = recorded_license(text_in(package.json, "license"));
  const auto installed = package.store_paths();
  for (const auto& [output, path] : package.outputs)
    if (all_outputs || installed.contains(path)) build.outputs.emplace(output, path);
  if (build.outputs.empty()) build.outputs.emplace("out", main_output(package));
  // The catalog's own rules for names, before anything is fetched.
  return catalog::PackageBuild::from_json(build.to_json());
}

}  // namespace

LockImport builds_of_lock(const env::Lockfile& lock, const std::set<std::string>& systems, bool all_outputs) {
  LockImport result;
  std::map<std::string, size_t> other_systems;
  for (const env::LockedPackage& package : lock.packages) {
    if (!systems.contains(package.system)) {
      ++other_systems[package.system];
      continue;
    }
    catalog::PackageBuild build =
        in_context("package '" + package.install_id + "'", [&] { return build_of(package, all_outputs); });
    if (build.outputs.size() < package.outputs.size())
      result.left_out.push_back(
          fmt::format("{} of {} that the lock does not install",
                      count_text(package.outputs.size() - build.outputs.size(), "output"), build.name));
    const bool is_there = std::ranges::any_of(result.builds, [&](const catalog::PackageBuild& other) {
      return other.name == build.name && other.version == build.version && other.system == build.system &&
             other.outputs == build.outputs;
    });
    if (!is_there) result.builds.push_back(std::move(build));
  }
  for (const auto& [system, count] : other_systems)
    result.left_out.push_back(fmt::format("{} for {}", count_text(count, "package"), system));
  return result;
}

}  // namespace flox::package
