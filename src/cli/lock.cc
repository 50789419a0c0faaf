// flox lock: writes the lock for a manifest that somebody has edited by hand.
#include <memory>

#include "base/settings/units.h"
#include "cli/commands.h"
#include "cli/local_or_pod.h"
#include "cli/options.h"
#include "cli/say.h"
#include "env/environment.h"

namespace flox::cli {
namespace {

struct LockOptions {
  std::string directory = ".";
};

void lock(const LockOptions& options) {
  const env::Environment environment = env::Environment::find(options.directory);
  auto resolver = make_resolver();
  const size_t packages = environment.lock(*resolver, changing(environment, "flox lock"))
                              .for_system(env::current_system())
                              .size();
  say("✔ environment '{}' is locked: {} for {}\n", environment.name(), count_text(packages, "package"),
      env::current_system());
}

}  // namespace

void add_lock(CLI::App& app) {
  auto options = std::make_shared<LockOptions>();
  auto* command = app.add_subcommand("lock", "Lock an environment as its manifest is now");
  add_directory(*command, options->directory);
  command->footer(
      "Packages that are locked already stay at their versions. Other commands that only read, such as\n"
      "flox list and flox activate, do not write manifest.lock.\n\n"
      "Example:\n  flox lock");
  command->callback([options] { lock(*options); });
}

}  // namespace flox::cli
