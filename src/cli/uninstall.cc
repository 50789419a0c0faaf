// flox uninstall: removes packages from an environment.
#include <memory>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/installed.h"
#include "cli/local_or_pod.h"
#include "cli/options.h"
#include "cli/options_of_flox.h"
#include "cli/quoted_list.h"
#include "cli/say.h"
#include "env/environment.h"
#include "env/manifest_edit.h"

namespace flox::cli {
namespace {

struct UninstallOptions {
  std::vector<std::string> ids;
  std::string directory = ".";
};

std::string without_packages(std::string text, const std::vector<std::string>& ids,
                             const env::Environment& environment) {
  const env::Manifest manifest = env::Manifest::parse(text, "manifest.toml");
  for (const auto& id : ids) {
    require_installed(id, manifest, environment);
    text = env::without_install(text, id);
  }
  return text;
}

void uninstall(const UninstallOptions& options) {
  env::Environment environment = env::Environment::find(options.directory);
  auto resolver = make_resolver();
  env::ChangeContext context = changing(environment, "flox uninstall");
  context.prepare = [build = std::move(context.prepare)](const env::Lockfile& lock) {
    try {
      build(lock);
    } catch (const Error& error) {
      // What was missing before is missing after; nothing that is left can be newly missing.
      if (error.kind() != ErrorKind::not_found && error.kind() != ErrorKind::unavailable) throw;
      say("! the environment cannot be activated now, as before: {}\n", error.what());
    }
  };
  environment.edit([&](const std::string& text) { return without_packages(text, options.ids, environment); },
                   *resolver, context);
  say("━ {} uninstalled from environment '{}'\n", quoted_list(options.ids), environment.name());
}

}  // namespace

void add_uninstall(CLI::App& app) {
  auto options = std::make_shared<UninstallOptions>();
  auto* command =
      app.add_subcommand("uninstall", "Remove packages from an environment")->alias("rm")->alias("remove");
  offer_installed(
      command->add_option("ID", options->ids, "install ids, as flox list shows them")->required());
  add_directory(*command, options->directory);
  refuse_reference(*command);
  command->footer("Example:\n  flox uninstall python3");
  command->callback([options] { uninstall(*options); });
}

}  // namespace flox::cli
