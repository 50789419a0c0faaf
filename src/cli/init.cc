// flox init: a new environment.
#include <algorithm>
#include <memory>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/known_environments.h"
#include "cli/say.h"
#include "env/environment.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

struct InitOptions {
  std::string new_directory;
  std::string directory = ".";
  std::string name;
  bool bare = true;
};

void init(const InitOptions& options) {
  fs::path directory = fs::absolute(options.directory);
  if (!options.new_directory.empty()) directory /= options.new_directory;
  std::string name = options.name;
  std::ranges::replace(name, ' ', '-');
  if (name.empty()) name = env::name_of_directory(directory);
  env::Environment environment = env::Environment::init(directory, name);
  remember_environment(environment);
  say("⚡︎ Created environment '{}' ({})\n\nNext:\n  $ flox search <package>    find packages\n"
      "  $ flox install <package>   add them\n  $ flox activate            enter the environment\n",
      environment.name(), env::current_system());
}

}  // namespace

void add_init(CLI::App& app) {
  auto* command = app.add_subcommand("init", "Create an environment in a directory")->alias("create");
  auto options = std::make_shared<InitOptions>();
  command->add_option("NEW_DIRECTORY", options->new_directory,
                      "create this directory and the environment in it");
  command->add_option("-d,--dir", options->directory,
                      "directory of the environment (default: the current one)");
  command->add_option("-n,--name", options->name, "name of the environment (default: the directory's)");
  command->add_flag("-b,--bare", options->bare,
                    "accepted for compatibility with Flox: new environments are always bare");
  command->footer("Examples:\n  flox init\n  flox init web      create ./web and an environment in it");
  command->callback([options] { init(*options); });
}

}  // namespace flox::cli
