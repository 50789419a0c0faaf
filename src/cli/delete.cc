// flox delete: removes an environment.
#include <filesystem>
#include <memory>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/known_environments.h"
#include "cli/local_or_pod.h"
#include "cli/options.h"
#include "cli/questions.h"
#include "cli/say.h"
#include "env/environment.h"
#include "env/removal.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

struct DeleteOptions {
  std::string directory = ".";
  bool force = false;
};

// Ends what a deletion that was stopped has begun, for which somebody has said yes then.
bool end_deletion(const std::string& directory) {
  const fs::path path = fs::absolute(directory).lexically_normal();
  std::error_code error;
  if (!fs::is_directory(path, error) || fs::exists(fs::symlink_status(path / ".flox")) ||
      !env::finish_removal(path))
    return false;
  say("━ the environment in {}, whose deletion was stopped, is deleted\n", path.string());
  return true;
}

// What is deleted is named by its directory alone: not one above it, nor the only one below.
void remove_environment(const DeleteOptions& options) {
  if (end_deletion(options.directory)) return;
  const env::Environment environment = env::Environment::open(options.directory);
  const std::string what =
      fmt::format("environment '{}' in {}", environment.name(), environment.directory().string());
  if (!options.force) {
    if (!can_ask())
      throw Error(ErrorKind::invalid_input, fmt::format("deleting {}: nobody is here to say yes", what),
                  "Pass --force to delete it without being asked.");
    if (!says_yes(fmt::format("Delete {}?", what)))
      fail(ErrorKind::conflict, "deleting {}: nothing was deleted", what);
  }
  // Before: of one that is half removed nobody could say what it was.
  forget_environment(environment);
  try {
    environment.remove(writing(environment, "flox delete"));
  } catch (const Error&) {
    if (environment_at(environment.directory())) remember_environment(environment);
    throw;
  }
  say("━ {} is deleted; 'flox store gc' frees what it alone needed\n", what);
}

}  // namespace

void add_delete(CLI::App& app) {
  auto options = std::make_shared<DeleteOptions>();
  auto* command = app.add_subcommand("delete", "Delete an environment")->alias("destroy");
  offer_environments(
      command->add_option("-d,--dir", options->directory,
                          "directory of the environment (default: the current one, and no other)"));
  command->add_flag("-f,--force", options->force, "do not ask");
  command->footer(
      "The directory .flox goes, with manifest and lock. What the catalog has of the environment stays "
      "there.\n\n"
      "Example:\n  flox delete -d web");
  command->callback([options] { remove_environment(*options); });
}

}  // namespace flox::cli
