// flox push: publishes an environment.
#include <memory>

#include "base/error.h"
#include "cli/catalog_access.h"
#include "cli/commands.h"
#include "cli/local_or_pod.h"
#include "cli/options.h"
#include "cli/variables.h"
#include "env/environment.h"

namespace flox::cli {
namespace {

void push(const std::string& directory, std::string owner) {
  if (owner.empty()) owner = CliVariables::read().owner;
  if (owner.empty())
    throw Error(ErrorKind::invalid_input, "publishing the environment: no owner given",
                "Pass --owner or set FLOX_OWNER.");
  env::Environment environment = env::Environment::find(directory);
  const catalog::EnvironmentName name{.owner = owner, .name = environment.name(), .generation = {}};
  catalog::check_environment_name(name.owner, name.name);
  auto resolver = make_resolver();
  const env::Lockfile lock = environment.lock(*resolver);
  const int64_t generation = configured_catalog_with_token().push(name, environment.manifest_text(), lock);
  fmt::print("✔ {} is at generation {}. In a pod: flox.dev/environment: {}\n", name.to_string(), generation,
             name.to_string());
}

}  // namespace

void add_push(CLI::App& app) {
  struct PushOptions {
    std::string directory = ".", owner;
  };
  auto options = std::make_shared<PushOptions>();
  auto* command = app.add_subcommand("push", "Publish this environment as a new generation");
  add_directory(*command, options->directory);
  command->add_option("-o,--owner", options->owner, "owner of the environment (FLOX_OWNER)");
  command->footer("Example:\n  flox push --owner acme");
  command->callback([options] { push(options->directory, options->owner); });
}

}  // namespace flox::cli
