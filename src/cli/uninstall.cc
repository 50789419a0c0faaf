// flox uninstall: removes packages from an environment.
#include <memory>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/local_or_pod.h"
#include "cli/options.h"
#include "cli/quoted_list.h"
#include "env/environment.h"
#include "env/manifest_edit.h"

namespace flox::cli {
namespace {

struct UninstallOptions {
  std::vector<std::string> ids;
  std::string directory = ".";
};

void uninstall(const UninstallOptions& options) {
  env::Environment environment = env::Environment::find(options.directory);
  env::Manifest manifest = environment.manifest();
  std::string text = environment.manifest_text();
  for (const auto& id : options.ids) {
    if (!manifest.install.contains(id))
      throw Error(ErrorKind::not_found,
                  fmt::format("'{}' is not installed in environment '{}'", id, environment.name()),
                  "Run 'flox list' to see what is installed.");
    text = env::without_install(text, id);
  }
  auto resolver = make_resolver();
  environment.edit(text, *resolver);
  fmt::print(stderr, "━ {} uninstalled from environment '{}'\n", quoted_list(options.ids),
             environment.name());
}

}  // namespace

void add_uninstall(CLI::App& app) {
  auto options = std::make_shared<UninstallOptions>();
  auto* command =
      app.add_subcommand("uninstall", "Remove packages from an environment")->alias("rm")->alias("remove");
  command->add_option("ID", options->ids, "install ids, as flox list shows them")->required();
  add_directory(*command, options->directory);
  command->footer("Example:\n  flox uninstall python3");
  command->callback([options] { uninstall(*options); });
}

}  // namespace flox::cli
