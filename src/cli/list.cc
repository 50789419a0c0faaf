// flox list: what is installed in an environment.
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/printable.h"
#include "cli/commands.h"
#include "cli/local_or_pod.h"
#include "cli/options.h"
#include "cli/say.h"
#include "env/environment.h"
#include "env/include.h"

namespace flox::cli {
namespace {

struct ListOptions {
  std::string directory = ".";
  bool names = false;
  bool config = false;
  bool json = false;
};

std::string inclusion_text(const std::map<std::string, std::string>& included, const std::string& id) {
  const auto found = included.find(id);
  return found == included.end() ? "" : fmt::format(", included from '{}'", printable(found->second));
}

void list(const ListOptions& options) {
  env::Environment environment = env::Environment::find(options.directory);
  if (options.config) {
    fmt::print("{}", printable_lines(environment.manifest_text()));
    return;
  }
  auto resolver = make_resolver();
  const env::Lockfile lock = lock_to_read(environment, *resolver);
  const auto packages = lock.for_system(env::current_system());
  const auto compose = lock.other.find("compose");
  const std::map<std::string, std::string> included =
      compose == lock.other.end() ? std::map<std::string, std::string>() : env::included_packages(*compose);
  nlohmann::json items = nlohmann::json::array();
  for (const auto& package : packages) {
    if (options.json)
      items.push_back(package.json);
    else if (options.names)
      fmt::print("{}\n", printable(package.install_id));
    else
      fmt::print("{}: {} ({}){}\n", printable(package.install_id), printable(package.attr_path),
                 package.version.empty() ? "N/A" : printable(package.version),
                 inclusion_text(included, package.install_id));
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
