// manifest.toml: what the user wants (docs/formats/manifest.md).
#pragma once  // Fuzzed by fuzz/manifest.cc.

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace flox::env {

namespace fs = std::filesystem;

// [install] entry that names a package of the catalog.
struct InstallDescriptor {
  std::string pkg_path;
  std::optional<std::string> version;  // exact or a constraint ("^2", ">=1.2", "1.2")
  std::string pkg_group = "toplevel";
  std::vector<std::string> systems;       // empty: all of options.systems
  int priority = 5;                       // lower wins a file that two packages have
  std::optional<std::string> store_path;  // set instead of pkg_path: a store path that Nix built
  std::optional<std::string> flake;       // set instead of pkg_path: what only Nix can evaluate
};

// [build.NAME]
struct BuildDescriptor {
  std::string command;
  std::string version;            // string form; {file} and {command} forms are resolved by flox build
  nlohmann::json version_source;  // the version as written; null: none, which is 0.0.0
  std::string description;
  std::vector<std::string> licenses;          // SPDX expressions that hold together
  std::string sandbox = "off";                // off | warn | enforce | pure
  std::vector<std::string> sandbox_allow;     // patterns of files that warn and enforce let pass
  std::vector<std::string> runtime_packages;  // install ids; empty: all of the toplevel group
};

struct Manifest {
  std::map<std::string, InstallDescriptor> install;  // by install id
  std::map<std::string, std::string> vars;
  std::string hook_on_activate;
  std::string hook_on_deactivate;
  std::map<std::string, std::string> profile;             // common, bash, zsh, fish, tcsh
  std::map<std::string, std::string> profile_deactivate;  // the same
  std::map<std::string, BuildDescriptor> build;
  std::vector<std::string> systems;   // options.systems; empty: defaults
  std::string activate_mode = "dev";  // options.activate.mode
  nlohmann::json json;                // all of it, as the lock carries it
  // "FILE:LINE:COLUMN" of each table of the first level ("include"), of each entry of [install] and its
  // version ("install.ID", "install.ID.version"), of each element of include.environments ("include.0"), of
  // each key of a build ("build.NAME.sandbox"), of each variable whose value may name others ("vars.NAME"),
  // and of each service and what it depends on ("services.NAME", "services.NAME.depends-on.OTHER"). Empty if
  // it does not come from a text.
  std::map<std::string, std::string> places;

  // One of those; "manifest.toml" for what has none.
  std::string place_of(const std::string& what) const;

  // Throws Error(invalid_input) "FILE:LINE:COLUMN: …" for bad TOML and for unknown or ill-typed keys.
  static Manifest parse(std::string_view toml, std::string_view file_name);
  // From a lockfile's "manifest" member; tolerant of unknown keys, but not of an unknown shell in [profile]
  // or of a variable that no process can have: Error(invalid_input).
  static Manifest from_json(const nlohmann::json& json);
};

// A package as people name it, and the install id that it gets: "web", "web@1.2", "/nix/store/…-web". Throws
// Error(invalid_input).
struct NamedPackage {
  std::string install_id;
  InstallDescriptor descriptor;
};
NamedPackage parse_package(const std::string& text);

// The text of a new environment's manifest.
std::string initial_manifest();

// The systems of an environment whose manifest has no options.systems: those that Flox has.
const std::vector<std::string>& default_systems();
// "x86_64-linux" or "aarch64-linux", of the machine this runs on.
std::string current_system();

}  // namespace flox::env
