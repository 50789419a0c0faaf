// `flox build`: runs a manifest's build command and makes a store path of what it leaves in $out.
//
// While the command runs, $out is /tmp/store_<placeholder>-<name>-<version>: exactly as long as the store
// path to come, /nix/store/<digest>-<name>-<version>, so that every occurrence in the result can be replaced
// in place. The placeholder depends on name and version only, so the same sources give the same bytes in any
// directory.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/model.h"
#include "env/activation.h"
#include "env/manifest.h"
#include "nix/path_info.h"
#include "package/debian/debian.h"
#include "store/local/local_store.h"

namespace flox::package {

struct BuildRequest {
  fs::path project;  // absolute: where the command runs and the results are left
  std::string name;  // [build.NAME]
  env::BuildDescriptor descriptor;
  env::Variables environment;            // the command's whole environment, already activated, without $out
  std::vector<nix::StorePath> packages;  // of the environment
  // Of the environment: what $FLOX_ENV names. The store is visible to the command if there is one.
  std::optional<nix::StorePath> profile = {};
  std::optional<nix::StorePath> runtime_profile = {};  // what takes its place in the result
  std::vector<fs::path> run_links = {};                // of the environment: they become the profile, too
  nix::StorePathSet runtime_packages = {};  // of the packages, those that the result may refer to; empty: all
  std::map<std::string, nix::StorePath> builds = {};  // other builds, by the name that ${NAME} has
  DebianOptions debian = {};  // where the host's libraries come from, and who is told about steps
  // Told, in lines, of what a build with sandbox warn or enforce used or wanted that it does not have.
  std::function<void(std::string_view line)> on_access = {};
};

// Where a pure build's sources are and its command runs, and a directory of its own beside it.
inline constexpr std::string_view pure_project = "/build/source";
inline constexpr std::string_view pure_home = "/build/home";

// Builds once. The command's output goes to PROJECT/result-NAME.log, and the files of this machine that it
// used or wanted, with sandbox warn or enforce, to PROJECT/result-NAME.accesses.json. Nothing is added to the
// store unless the command succeeded and every program and library that it left loads (load_check.h). A build
// of the same name and version, of anybody on this machine, is waited for. Whatever ends this process, the
// command's processes and the directories that it was given go with it. Call from a program with one thread.
// Throws Error (invalid_input with the exit code and the last lines of the output if the command fails, if it
// leaves nothing in $out, or paths in it that only this machine has (out_paths.h); conflict if $out belongs
// to another user; unavailable if the kernel or this user's rights have no such sandbox).
catalog::PackageBuild build_package(store::LocalStore& store, const BuildRequest& request);

// Leaves PROJECT/result-NAME (a link to the files, and a GC root) and result-NAME.json for `flox publish`.
void leave_result(const store::LocalStore& store, const fs::path& project,
                  const catalog::PackageBuild& build);

// Places, sorted, that differ between two store paths: content, kind or execute bit.
std::vector<std::string> differences(const store::LocalStore& store, const nix::StorePath& a,
                                     const nix::StorePath& b);

}  // namespace flox::package
