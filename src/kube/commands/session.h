// What every command of `flox kube` knows: the state directory, the settings of the supervisor, the
// namespace.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "kube/commands/settings.h"
#include "kube/controllers/supervisor.h"
#include "kube/pods/state_dir.h"

namespace flox::kube {

// From the command line and from variables.
struct CommonOptions {
  KubeSettings settings;
  std::string namespace_;  // empty: not given
};
// `options` must outlive the parsing.
void add_common_options(CLI::App& app, CommonOptions& options);

struct Session {
  StateDir state;
  SupervisorSettings settings;
  std::string namespace_;  // empty: not given
};

// What is not on the command line comes from the environment, then from the supervisor that runs on this
// state directory, then is the default. Throws Error if the state directory cannot be used.
Session open_session(const CommonOptions& options);

// --timeout, parsed when the command line is (90s, 5m, 1h; a number alone is seconds).
void add_timeout(CLI::App& command, std::chrono::seconds& timeout);

// kubectl's "deployment web" is "deployment/web".
std::string join_target(const std::vector<std::string>& words);

}  // namespace flox::kube
