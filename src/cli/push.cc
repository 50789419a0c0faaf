// flox push, flox pull: environments and the catalog.
#include <memory>

#include "base/error.h"
#include "base/os/file.h"
#include "catalog/client.h"
#include "cli/commands.h"
#include "cli/services.h"
#include "cli/variables.h"
#include "env/environment.h"
#include "node/floxd/config.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

catalog::Client make_client() {
  Config config = Config::load();
  return catalog::Client(config.catalog_url, config.token());
}

void push(const std::string& directory, std::string owner) {
  if (owner.empty()) owner = CliVariables::read().owner;
  if (owner.empty())
    throw Error(ErrorKind::invalid_input, "whose environment is it to be?",
                "name an owner: --owner NAME, or FLOX_OWNER");
  env::Environment environment = env::Environment::find(directory);
  const catalog::EnvironmentName name{.owner = owner, .name = environment.name(), .generation = {}};
  catalog::check_environment_name(name.owner, name.name);
  auto resolver = make_resolver();
  const env::Lockfile lock = environment.lock(*resolver);
  const int64_t generation = make_client().push(name, environment.manifest_text(), lock);
  fmt::print("✔ {} is at generation {}. In a pod: flox.dev/environment: {}\n", name.to_string(), generation,
             name.to_string());
}

void pull(const std::string& reference, std::string directory) {
  const catalog::EnvironmentName name = catalog::parse_environment_name(reference);
  const auto pushed = make_client().environment(name);
  if (directory.empty()) directory = name.name;
  fs::create_directories(directory);
  env::Environment environment = env::Environment::init(directory, name.name);
  const fs::path files = environment.directory() / ".flox/env";
  write_file(files / "manifest.toml", pushed.manifest);
  write_file(files / "manifest.lock", pushed.lock.to_string());
  fmt::print("✔ {}/{}, generation {}, is in {}\n", name.owner, name.name, pushed.generation,
             environment.directory().string());
}

}  // namespace

void add_push(CLI::App& app) {
  struct Options {
    std::string directory = ".", owner, reference, target;
  };
  auto options = std::make_shared<Options>();
  auto* push_command =
      app.add_subcommand("push", "Put an environment into the catalog, as its owner's next generation");
  push_command->add_option("-d,--dir", options->directory,
                           "the environment's directory (default: the current one)");
  push_command->add_option("-o,--owner", options->owner, "whose it is (FLOX_OWNER)");
  push_command->callback([options] { push(options->directory, options->owner); });
  auto* pull_command = app.add_subcommand("pull", "Make an environment of the catalog a directory");
  pull_command->add_option("ENVIRONMENT", options->reference, "OWNER/NAME, or OWNER/NAME:GENERATION")
      ->required();
  pull_command->add_option("-d,--dir", options->target, "where to (default: NAME)");
  pull_command->callback([options] { pull(options->reference, options->target); });
}

}  // namespace flox::cli
