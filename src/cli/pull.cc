// flox pull: checks out a published environment.
#include <memory>

#include "base/os/file.h"
#include "cli/catalog_access.h"
#include "cli/commands.h"
#include "env/environment.h"
#include "node/floxd/config.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

void pull(const std::string& reference, std::string directory) {
  const catalog::EnvironmentName name = catalog::parse_environment_name(reference);
  const auto [pushed, origin] = verified_catalog(Config::load().token())->environment(name);
  if (directory.empty()) directory = name.name;
  fs::create_directories(directory);
  env::Environment environment = env::Environment::init(directory, name.name);
  const fs::path files = environment.directory() / ".flox/env";
  write_file(files / "manifest.toml", pushed.manifest);
  write_file(files / "manifest.lock", pushed.lock.to_string());
  fmt::print("✔ {}/{}, generation {}, is in {}: {}\n", name.owner, name.name, pushed.generation,
             environment.directory().string(), catalog::to_string(origin));
}

}  // namespace

void add_pull(CLI::App& app) {
  struct PullOptions {
    std::string reference, directory;
  };
  auto options = std::make_shared<PullOptions>();
  auto* command = app.add_subcommand("pull", "Check out an environment from the catalog");
  command->add_option("ENVIRONMENT", options->reference, "OWNER/NAME, or OWNER/NAME:GENERATION")->required();
  command->add_option("-d,--dir", options->directory, "directory to create (default: NAME)");
  command->footer("Examples:\n  flox pull acme/web\n  flox pull acme/web:3 --dir web-3");
  command->callback([options] { pull(options->reference, options->directory); });
}

}  // namespace flox::cli
