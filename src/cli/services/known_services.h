// What the commands of flox services share.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "activation/keeper/client.h"
#include "cli/inside.h"
#include "env/environment.h"

namespace flox::cli {

// Whose services a command is about.
struct ServicesTarget {
  std::string name;                             // of the environment
  fs::path project;                             // Inside::project
  env::Services here;                           // those of its manifest for this system
  env::Services anywhere;                       // for any
  std::optional<env::Environment> environment;  // nothing in a container whose environment has no directory

  // Names of `here` and of what runs, sorted; each of `asked`, if there are any, must be among them. Throws
  // Error(not_found).
  std::vector<std::string> names(const std::vector<activation::ServiceStatus>& running,
                                 const std::vector<std::string>& asked) const;
  // What its keeper knows; nothing if there is no keeper.
  std::vector<activation::ServiceStatus> running() const;
};

// The environment in the directory; where that is the current one and has none, the one that this process is
// in.
ServicesTarget services_target(const std::string& directory);

// Options -d, --json and NAME…
struct ServicesOptions {
  std::string directory = ".";
  std::vector<std::string> names;
  bool json = false;
};
void add_services_options(CLI::App& command, ServicesOptions& options);

// For start and restart, which only somebody who is inside may ask for: what they start has the environment
// of an activation as it would be now. Prints what was done.
void ask_from_inside(const ServicesOptions& options, activation::Request::Kind kind, const std::string& verb);

// What a request has done, for people or as JSON: {VERB: […], "unchanged": […]}.
void print_done(const activation::Answer& answer, const std::string& verb, const std::string& already,
                bool json);

}  // namespace flox::cli
