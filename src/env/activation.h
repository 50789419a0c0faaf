// Activation: what a process gets so that it runs inside an environment (docs/formats/profile.md).
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "nix/store_path.h"

namespace flox::env {

namespace fs = std::filesystem;
using Variables = std::map<std::string, std::string>;

// The variable's value; empty if there is none.
inline std::string value_of(const Variables& variables, const std::string& name) {
  const auto found = variables.find(name);
  return found == variables.end() ? std::string() : found->second;
}

struct ActivationRequest {
  std::string name;          // FLOX_ENV_DESCRIPTION
  fs::path profile_link;     // FLOX_ENV: the .flox/run link, or the store path itself in a pod
  fs::path profile;          // where its files can be read now
  fs::path project;          // FLOX_ENV_PROJECT; empty in pods
  fs::path cache;            // FLOX_ENV_CACHE
  std::string mode = "dev";  // dev | run
  Variables environment;     // of the process, before
  bool add_sbin = false;     // the environment's sbin is in PATH, too, behind its bin
};

struct Activation {
  Variables environment;          // the whole environment, after
  bool has_hook = false;          // the profile has a hook.on-activate
  std::vector<std::string> vars;  // names of the manifest's
  bool is_active = false;         // the environment was active in the process already
  bool hook_has_run = false;      // with this very profile, so that what the hook did is in `environment`
};

// Computes the environment: PATH, MANPATH, FLOX_*, mode's search paths, the manifest's vars (expanded as bash
// would inside double quotes). Reads only the profile; starts no process.
Activation activate(const ActivationRequest& request);

// Whether the profile whose files are at `profile` has this name (not what its link leads to). Links before
// the last component are followed within the store only.
bool profile_has(const fs::path& profile, const fs::path& relative);

// A file that the profile has itself, in activate.d. Throws Error, not_found if it is missing.
std::string read_profile_file(const fs::path& profile, const fs::path& relative, size_t limit);

// The mode in which the environment of this project is active in a process with these variables; nothing if
// it is not.
std::optional<std::string> active_mode(const Variables& variables, const fs::path& project);

// The directories of the environments that are active in a process with these variables, the newest first.
std::vector<fs::path> active_projects(const Variables& variables);

// Looks a command up in the PATH of `environment`; nothing if it is not there.
std::optional<fs::path> find_command(const std::string& command, const Variables& environment);

// Makes ROOT/nix/store visible as /nix/store to this process and its children, in a mount namespace of its
// own, unless ROOT is "/". Needs root or user namespaces. Call before threads start. Throws Error.
void enter_store(const fs::path& root);

}  // namespace flox::env
