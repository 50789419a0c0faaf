// flox uninstall: removes packages from an environment.
#include <memory>
#include <set>

#include "base/error.h"
#include "cli/changed_environment.h"
#include "cli/commands.h"
#include "cli/installed.h"
#include "cli/local_or_pod.h"
#include "cli/options.h"
#include "cli/quoted_list.h"
#include "cli/say.h"
#include "env/environment.h"
#include "env/manifest_edit.h"

namespace flox::cli {
namespace {

struct UninstallOptions {
  std::vector<std::string> ids;
  EnvironmentChoice environment;
};

std::string without_packages(std::string text, const std::vector<std::string>& ids,
                             const env::Environment& environment) {
  const env::Manifest manifest = env::Manifest::parse(text, "manifest.toml");
  for (const auto& id : std::set<std::string>(ids.begin(), ids.end())) {
    require_installed(id, manifest, environment);
    text = env::without_install(text, id);
  }
  return text;
}

void uninstall(const UninstallOptions& options) {
  ChangedEnvironment changed(options.environment, "flox uninstall");
  const env::Environment& environment = changed.environment();
  auto resolver = make_resolver();
  env::ChangeContext context = changed.changing();
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
  changed.finish();
  say("━ {} uninstalled from environment '{}'\n", quoted_list(options.ids), environment.name());
}

}  // namespace

void add_uninstall(CLI::App& app) {
  auto options = std::make_shared<UninstallOptions>();
  auto* command =
      app.add_subcommand("uninstall", "Remove packages from an environment")->alias("rm")->alias("remove");
  offer_installed(
      command->add_option("ID", options->ids, "install ids, as flox list shows them")->required());
  add_directory(*command, options->environment.directory);
  add_changed_reference(*command, options->environment.reference);
  command->footer("Example:\n  flox uninstall python3");
  command->callback([options] { uninstall(*options); });
}

}  // namespace flox::cli
