// flox activate: a command or a shell inside an environment.
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <memory>
#include <optional>

#include "activation/keeper/attaching.h"
#include "activation/shell_script.h"
#include "activation/undo.h"
#include "activation/user_shell.h"
#include "base/command_line/program.h"
#include "base/error.h"
#include "base/log.h"
#include "base/printable.h"
#include "cli/auto_activation.h"
#include "cli/commands.h"
#include "cli/inside.h"
#include "cli/local_or_pod.h"
#include "cli/options.h"
#include "cli/options_of_flox.h"
#include "cli/remote_environment.h"
#include "cli/say.h"
#include "cli/starting.h"
#include "env/compose.h"
#include "env/locking.h"
#include "node/floxd/config.h"

namespace flox::cli {
namespace {

struct ActivateOptions {
  std::string directory = ".";
  std::string reference;
  int64_t generation = 0;  // 0: the latest, or what the directory has
  std::string mode;
  std::string shell_command;
  std::vector<std::string> command;
  bool print_script = false;
  bool add_sbin = false;
  bool start_services = false;
  bool no_start_services = false;
  bool automatic = false;
};

// What a shell activates by itself is what the user has allowed: manifest and lock. What an included
// directory has now is neither, and may be somebody else's.
void require_what_was_allowed(const env::Environment& environment) {
  const env::Manifest manifest = environment.manifest();
  if (env::includes_of(manifest).empty()) return;
  const auto lock = environment.lockfile();
  if (lock && env::locks(*lock, manifest)) return;
  throw Error(
      ErrorKind::untrusted,
      fmt::format("the environment in {} is not activated by itself: it includes others, and its lock "
                  "does not have them",
                  printable(environment.directory().native())),
      "Run 'flox lock' there, look at it, and run 'flox activate allow'.");
}

// An environment of the catalog's works on the directory that one is in.
Inside prepare(const ActivateOptions& options) {
  if (options.automatic) require_what_was_allowed(env::Environment::open(options.directory));
  if (options.reference.empty() && options.generation == 0)
    return prepare_inside(environment_to_activate(options.directory), options.mode, "flox activate", {},
                          options.add_sbin);
  return prepare_inside(remote_environment(options.reference, options.directory, options.generation),
                        options.mode, "flox activate", fs::current_path(), options.add_sbin);
}

activation::UserShell shell_for(const env::Variables& variables) {
  try {
    return activation::shell_to_start(variables);
  } catch (const Error& error) {
    throw ExitError(exit_command_not_found, error);
  }
}

activation::ShellScript script_for(const Inside& inside, activation::Shell shell) {
  return {.shell = shell,
          .profile = inside.profile(),
          .before = inside.before,
          .after = inside.activation.environment};
}

ToStart shell_to_start(const Inside& inside, const std::string& command) {
  const env::Variables& variables = inside.activation.environment;
  const activation::UserShell shell = shell_for(variables);
  if (!command.empty())
    return {.program = shell.program,
            .argv = activation::to_run(shell, inside.profile(), command),
            .environment = variables};
  const auto started = activation::to_interact(shell, script_for(inside, shell.kind));
  say("✔ You are now using the environment '{}'. To leave it, type 'exit'\n", inside.name);
  return {.program = shell.program, .argv = started.argv, .environment = started.environment};
}

// Shell code for eval "$(flox activate)". The shell says itself that it is inside: this process's parent may
// be a subshell of it.
void print_script(const Inside& inside, bool kept) {
  const activation::Shell shell = activation::shell_of_caller(inside.before);
  fmt::print("{}", activation::in_place(script_for(inside, shell)));
  if (kept) fmt::print("{}", activation::attaching(shell, keeper_directory_of(inside.project), inside.key));
}

void refuse_unseen_store() {
  if (Config::load().root != "/" && !in_pod())
    throw Error(ErrorKind::invalid_input,
                "activating in place: the store is not at /nix/store, so the calling shell cannot see it",
                "Run a command or a shell inside: flox activate -- COMMAND.");
}

// How to leave again goes along, for flox deactivate.
void remember(Inside& inside, bool kept, bool subshell, bool automatic) {
  constexpr size_t most = 100 << 10;  // bytes; a variable can have 128 KiB (execve(2))
  if (inside.activation.is_active) return;
  env::Variables& variables = inside.activation.environment;
  std::vector<activation::Undo> layers;
  try {
    layers = activation::active_layers(inside.before);
  } catch (const Error& error) {
    log::warning("{}: what was active before cannot be deactivated", error.what());
  }
  activation::Undo undo = activation::undo_of(inside.before, variables);
  undo.name = inside.name;
  undo.profile = inside.key.profile;
  undo.mode = inside.key.mode;
  if (kept) undo.keeper = keeper_directory_of(inside.project);
  undo.project = inside.project;
  undo.subshell = subshell;
  undo.automatic = automatic;
  layers.insert(layers.begin(), std::move(undo));
  if (std::string text = to_text(layers); text.size() <= most)
    variables[activation::undo_variable] = std::move(text);
  else
    log::debug("the environment changes too much for flox deactivate");
}

void activate(const ActivateOptions& options) {
  const bool runs = !options.command.empty() || !options.shell_command.empty();
  const bool prints = !runs && (options.print_script || ::isatty(STDOUT_FILENO) == 0);
  if (prints) refuse_unseen_store();
  Inside inside = prepare(options);
  if (!runs && !prints && inside.activation.is_active)
    throw Error(ErrorKind::conflict,
                fmt::format("environment '{}' is active in this shell already", inside.name),
                "Leave it with 'exit' first, or run a command inside: flox activate -- COMMAND.");
  if (options.start_services && inside.services.by_name.empty())
    throw Error(ErrorKind::not_found,
                fmt::format("environment '{}' has no services for {}", inside.name, env::current_system()),
                "Define some in [services] of its manifest, or leave --start-services out.");
  const bool starts = options.start_services || (inside.services.auto_start && !options.no_start_services &&
                                                 !inside.services.by_name.empty());
  if (starts) inside.activation.environment["FLOX_ACTIVATE_START_SERVICES"] = "true";
  auto keeper = enter(inside, prints ? 0 : ::getpid(), prints);
  if (starts && keeper) start_services(inside, *keeper, options.start_services);
  remember(inside, keeper.has_value(), !runs && !prints, options.automatic);
  if (prints) return print_script(inside, keeper.has_value());
  const ToStart what = options.command.empty() ? shell_to_start(inside, options.shell_command)
                                               : command_to_start(inside, options.command);
  throw CLI::RuntimeError(start(inside, what, std::move(keeper)));
}

}  // namespace

void add_activate(CLI::App& app) {
  auto options = std::make_shared<ActivateOptions>();
  auto* command =
      app.add_subcommand("activate", "Run a command or a shell in an environment")->alias("develop");
  add_directory(*command, options->directory);
  add_reference(*command, options->reference);
  command
      ->add_option("-g,--generation", options->generation,
                   "this generation, of the environment that -r names or that the directory's came from")
      ->check(CLI::Range(int64_t{1}, std::numeric_limits<int64_t>::max()))
      ->type_name("GENERATION");
  command->add_option("-m,--mode", options->mode,
                      "dev: with search paths for compilers; run: without (default: the manifest's, or dev)");
  command->add_flag("--add-sbin", options->add_sbin,
                    "put the environment's sbin into PATH, too, behind its bin");
  auto* shell = command->add_option("-c,--command", options->shell_command, "run this shell command");
  auto* print = command->add_flag("--print-script", options->print_script, "print shell code for eval");
  auto* start = command->add_flag("-s,--start-services", options->start_services,
                                  "start the manifest's services, unless some run already");
  command
      ->add_flag("--no-start-services", options->no_start_services,
                 "start none, though the manifest says services.auto-start")
      ->excludes(start);
  refuse_option(*command, "-t,--trust",
                "what comes from the catalog is verified by who signed it, and not trusted by name",
                "Leave it out; choose who may sign with 'flox trust'.");
  command->add_flag("--automatic", options->automatic)->group("");  // what flox hook-env prints has it
  add_activate_allow(*command);
  add_activate_deny(*command);
  add_activate_hook(*command);
  command->add_option("COMMAND", options->command, "command and its arguments, after --")
      ->excludes(shell)
      ->excludes(print);
  command->positionals_at_end();
  command->footer(
      "Exit code: the command's own; 127 if there is no such command, 126 if it cannot be executed; 1 if\n"
      "hook.on-activate ends its shell, which its last command's failing does not.\n\n"
      "Examples:\n  flox activate -- python3 app.py\n  flox activate -c 'echo $FLOX_ENV'\n"
      "  eval \"$(flox activate)\"\n"
      "  flox activate --start-services\n  flox activate -r acme/web -- web --version");
  command->callback([options, command] {
    if (command->get_subcommands().empty()) activate(*options);
  });
}

}  // namespace flox::cli
