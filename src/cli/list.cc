// flox list: what is installed in an environment.
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/printable.h"
#include "cli/commands.h"
#include "cli/local_or_pod.h"
#include "cli/options.h"
#include "cli/say.h"
#include "env/environment.h"

namespace flox::cli {
namespace {

struct ListOptions {
  std::string directory = ".";
  bool names = false;
  bool config = false;
  bool json = false;
};

void list(const ListOptions& options) {
  env::Environment environment = env::Environment::find(options.directory);
  if (options.config) {
    fmt::print("{}", printable_lines(environment.manifest_text()));
    return;
  }
  auto resolver = make_resolver();
  auto packages = lock_to_read(environment, *resolver).for_system(env::current_system());
  nlohmann::json items = nlohmann::json::array();
  for (const auto& package : packages) {
    if (options.json)
      items.push_back(package.json);
    else if (options.names)
      fmt::print("{}\n", printable(package.install_id));
    else
      fmt::print("{}: {} ({})\n", printable(package.install_id), printable(package.attr_path),
                 package.version.empty() ? "N/A" : printable(package.version));
  }
  if (options.json)
    fmt::print("{}\n", items.dump(2));
  else if (packages.empty())
    say("! no packages are installed for {}\n", env::current_system());
}

}  // namespace

void add_list(CLI::App& app) {
  auto options = std::make_shared<ListOptions>();
  auto* command = app.add_subcommand("list", "List the packages of an environment")->alias("l");
  add_directory(*command, options->directory);
  auto* names = command->add_flag("-n,--name", options->names, "print install ids only");
  auto* config = command->add_flag("-c,--config", options->config, "print the manifest")->excludes(names);
  command->add_flag("--json", options->json, "print the locked packages as JSON")
      ->excludes(names)
      ->excludes(config);
  command->footer("Examples:\n  flox list\n  flox list --json | jq '.[].version'");
  command->callback([options] { list(*options); });
}

}  // namespace flox::cli
