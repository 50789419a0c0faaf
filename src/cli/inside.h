// Getting inside an environment: what flox activate and flox services have in common.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "activation/keeper/client.h"
#include "env/activation.h"
#include "env/environment.h"
#include "env/services.h"

namespace flox::cli {

namespace fs = std::filesystem;

struct Inside {
  fs::path project;  // the directory that has .flox; of a container without one its profile
  std::string name;
  activation::StartKey key;  // the profile as seen inside, /nix/store/…, and the mode
  env::Activation activation;
  env::Variables before;  // of this process
  env::Services services;
  bool has_deactivate_hook = false;

  const std::string& profile() const noexcept { return key.profile; }
  // Its keeper, and where it writes.
  activation::KeeperPlace place() const;
};

// The environment for work in `directory`; in a pod that brings none the one that the node gives its
// namespace.
env::Environment environment_to_activate(const std::string& directory);

// Makes the environment present and computes its activation; from then on this process sees the store at
// /nix. `mode`: dev, run, or empty: the manifest's. `works_on`: the directory that it is told to work on, in
// place of its own. `add_sbin`: its sbin is in PATH, too. Throws Error.
Inside prepare_inside(const env::Environment& environment, std::string mode, const std::string& doing,
                      const std::optional<fs::path>& works_on = {}, bool add_sbin = false);

// Makes process `pid` one of those inside, and runs hook.on-activate unless it has run for those that are.
// `linger`: the process says itself that it is there, soon. Gives the keeper, if this environment needs one:
// it has services, hooks. Throws Error.
std::optional<activation::KeeperClient> enter(Inside& inside, pid_t pid, bool linger);

// The services of a profile whose files can be seen. Throws Error.
env::Services services_of_profile(const fs::path& profile);

// A request about the environment's services, named or all.
activation::Request services_request(activation::Request::Kind kind, const Inside& inside,
                                     std::vector<std::string> names);

// The directory of the environment's keeper. Throws Error.
fs::path keeper_directory_of(const fs::path& project);
// Where services and hooks of the environment leave their logs: .flox/log, or a directory of the user's own
// where .flox is somebody else's or cannot be written. Throws Error.
fs::path logs_of(const fs::path& project);

}  // namespace flox::cli
