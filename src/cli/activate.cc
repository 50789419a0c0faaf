// flox activate: a command or a shell inside an environment.
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>

#include "base/command_line/program.h"
#include "base/error.h"
#include "base/os/file.h"
#include "base/os/private_directory.h"
#include "base/os/process.h"
#include "cli/commands.h"
#include "cli/local_or_pod.h"
#include "cli/options.h"
#include "cli/remote_environment.h"
#include "cli/variables.h"
#include "env/activation.h"
#include "env/environment.h"
#include "env/manifest_edit.h"
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
};

std::string shell_quoted(std::string_view text) {
  std::string result = "'";
  for (char c : text) {
    if (c == '\'')
      result += "'\\''";
    else
      result += c;
  }
  return result + "'";
}

// .flox/cache, or one of the user's own where that cannot be written (a pod's read-only volume).
fs::path cache_directory(const env::Environment& environment) {
  fs::path cache = environment.directory() / ".flox/cache";
  std::error_code error;
  fs::create_directories(cache, error);
  if (!error && ::access(cache.c_str(), W_OK) == 0) return cache;
  return user_cache_directory("environments");
}

// The lock to activate: the environment's own, or with its primary package at $FLOX_PACKAGE_VERSION.
env::Lockfile lock_to_activate(const env::Environment& environment, env::Resolver& resolver) {
  env::Lockfile lock = lock_to_read(environment, resolver);
  const std::string version = CliVariables::read().package_version;
  if (version.empty()) return lock;
  fmt::print(stderr, "ℹ FLOX_PACKAGE_VERSION: environment '{}' at version {}\n", environment.name(), version);
  return env::with_primary_version(lock, environment.name(), version, env::current_system(), resolver);
}

// The environment of a pod that brings none: the one that the node gives the pod's namespace, made in a
// directory of its own. Nothing if the node gives none.
std::optional<env::Environment> namespace_environment() {
  const std::string reference = namespace_default();
  if (reference.empty()) return std::nullopt;
  const auto [name, descriptor] = env::parse_package(reference);
  const fs::path directory = user_cache_directory("namespace");
  FileLock turn(directory / "lock", FileLock::Mode::exclusive);  // a probe may activate at the same time
  auto environment = fs::exists(directory / ".flox") ? env::Environment::open(directory)
                                                     : env::Environment::init(directory, name);
  if (!environment.manifest().install.contains(name))
    environment.edit(env::with_install(environment.manifest_text(), name, descriptor), *make_resolver());
  fmt::print(stderr, "ℹ using '{}', the environment that this node gives the pod's namespace\n", reference);
  return environment;
}

env::Environment environment_to_activate(const std::string& directory) {
  bool found_below = false;
  try {
    env::Environment environment = env::Environment::find(directory, &found_below);
    if (found_below)
      fmt::print(stderr, "ℹ using the environment in {}: the only one here\n",
                 environment.directory().string());
    return environment;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found || !in_pod() || directory != ".") throw;
    if (auto environment = namespace_environment()) return *environment;
    throw;
  }
}

bool is_remote(const ActivateOptions& options) {
  return !options.reference.empty() || options.generation > 0;
}

struct Prepared {
  env::Activation activation;
  fs::path profile;  // as seen inside: /nix/store/…
};

Prepared prepare(const ActivateOptions& options) {
  env::Environment environment =
      is_remote(options) ? remote_environment(options.reference, options.directory, options.generation)
                         : environment_to_activate(options.directory);
  auto resolver = make_resolver();
  const env::Lockfile lock = lock_to_activate(environment, *resolver);
  // The lock's manifest has what is included, too.
  const std::string mode =
      options.mode.empty() ? env::Manifest::from_json(lock.manifest).activate_mode : options.mode;
  if (mode != "dev" && mode != "run")
    fail(ErrorKind::invalid_input, "activation mode '{}': it is dev or run", mode);
  nix::StorePath profile = present_profile(environment, lock, mode, "flox activate");

  fs::path cwd = fs::current_path();
  if (!in_pod()) env::enter_store(Config::load().root);
  fs::current_path(cwd);
  fs::path link = environment.run_link(env::current_system(), mode);
  std::error_code error;
  if (fs::read_symlink(link, error) != profile.to_string()) link = profile.to_string();
  env::ActivationRequest request{.name = environment.name(),
                                 .profile_link = link,
                                 .profile = profile.to_string(),
                                 .project = is_remote(options) ? cwd : environment.directory(),
                                 .cache = cache_directory(environment),
                                 .mode = mode,
                                 .environment = environment_for_children()};
  return {env::activate(request), profile.to_string()};
}

// 127 where there is no such command, 126 where it cannot be executed, as shells have it.
[[noreturn]] void fail_to_start(const fs::path& program, int error_number) {
  try {
    fail_errno(error_number, "starting {}", program.string());
  } catch (const Error& error) {
    throw ExitError(error_number == ENOENT ? exit_command_not_found : exit_not_executable, error);
  }
}

[[noreturn]] void fail_to_find(const std::string& command) {
  const bool is_there = command.find('/') != std::string::npos && fs::exists(command);
  if (is_there) fail_to_start(command, EACCES);
  throw ExitError(
      exit_command_not_found,
      Error(ErrorKind::not_found, fmt::format("no command '{}' in the environment or in PATH", command),
            "Run 'flox list' to see what is installed."));
}

[[noreturn]] void execute(const fs::path& program, std::vector<std::string> argv,
                          const env::Variables& variables) {
  std::vector<std::string> env;
  for (const auto& [name, value] : variables) env.push_back(name + "=" + value);
  std::vector<char*> argv_pointers;
  std::vector<char*> env_pointers;
  for (auto& text : argv) argv_pointers.push_back(text.data());
  for (auto& text : env) env_pointers.push_back(text.data());
  argv_pointers.push_back(nullptr);
  env_pointers.push_back(nullptr);
  ::execve(program.c_str(), argv_pointers.data(), env_pointers.data());
  fail_to_start(program, errno);
}

fs::path shell_for(const env::Variables& variables) {
  for (const char* name : {"bash", "sh"})
    if (auto shell = env::find_command(name, variables)) return *shell;
  throw ExitError(exit_command_not_found,
                  Error(ErrorKind::not_found, "starting a shell: neither bash nor sh is in PATH",
                        "Install bash into the environment."));
}

std::string sourced(const fs::path& script) {
  return fs::exists(script) ? ". " + shell_quoted(script.string()) + "; " : "";
}

// Shell text that runs the hook; its output goes to stderr, so that a command's own stdout stays clean.
std::string hook_text(const Prepared& prepared) {
  return prepared.activation.has_hook
             ? ". " + shell_quoted((prepared.profile / "activate.d/hook-on-activate").string()) +
                   " >&2 || exit 1; "
             : "";
}
std::string profile_text(const Prepared& prepared) {
  return sourced(prepared.profile / "activate.d/profile-common") +
         sourced(prepared.profile / "activate.d/profile-bash");
}

void run_command(const Prepared& prepared, const std::vector<std::string>& command) {
  const auto& variables = prepared.activation.environment;
  auto program = env::find_command(command[0], variables);
  if (!prepared.activation.has_hook) {
    if (!program) fail_to_find(command[0]);
    execute(*program, command, variables);
  }
  fs::path shell = shell_for(variables);
  // Looked up once the hook has run: it may have changed PATH.
  // A file that is there and not executable is for exec to refuse, with 126.
  std::string start =
      "command -v \"$1\" >/dev/null || { case $1 in */*) [ -e \"$1\" ];; *) false;; esac; } || "
      "{ echo \"✘ ERROR: no command '$1' in the environment or in PATH\" >&2; exit 127; }; exec \"$@\"";
  std::vector<std::string> argv = {shell.filename(), "-c", hook_text(prepared) + start, "flox-activate"};
  argv.insert(argv.end(), command.begin(), command.end());
  execute(shell, argv, variables);
}

void run_shell(const Prepared& prepared, const std::string& command) {
  fs::path shell = shell_for(prepared.activation.environment);
  std::string text = hook_text(prepared) + profile_text(prepared);
  if (!command.empty())
    execute(shell, {shell.filename(), "-c", text + command}, prepared.activation.environment);
  // The rc file outlives this process, which becomes the shell; it removes itself once read.
  const fs::path directory = TempDir("flox-rc-").release();
  const std::string rc = directory / "rc";
  write_file(rc,
             fmt::format("rm -rf {}\n[ -f ~/.bashrc ] && . ~/.bashrc\n{}\nPS1=\"flox "
                         "[$FLOX_PROMPT_ENVIRONMENTS] $PS1\"\n",
                         shell_quoted(directory.string()), text),
             0600);
  fmt::print(stderr, "✔ You are now using the environment '{}'. To leave it, type 'exit'\n",
             prepared.activation.environment.at("FLOX_ENV_DESCRIPTION"));
  execute(shell, {shell.filename(), "--rcfile", rc, "-i"}, prepared.activation.environment);
}

// Shell code for eval "$(flox activate)".
void print_script(const Prepared& prepared) {
  if (Config::load().root != "/" && !in_pod())
    throw Error(ErrorKind::invalid_input,
                "activating in place: the store is not at /nix/store, so the calling shell cannot see it",
                "Run a command or a shell inside: flox activate -- COMMAND.");
  env::Variables before = environment_for_children();
  for (const auto& [name, value] : prepared.activation.environment)
    if (!before.contains(name) || before.at(name) != value)
      fmt::print("export {}={};\n", name, shell_quoted(value));
  fmt::print("{}{}\n", hook_text(prepared), profile_text(prepared));
}

void activate(const ActivateOptions& options) {
  Prepared prepared = prepare(options);
  if (!options.command.empty())
    run_command(prepared, options.command);
  else if (!options.shell_command.empty())
    run_shell(prepared, options.shell_command);
  else if (options.print_script || ::isatty(STDOUT_FILENO) == 0)
    print_script(prepared);
  else
    run_shell(prepared, "");
}

}  // namespace

void add_activate(CLI::App& app) {
  auto options = std::make_shared<ActivateOptions>();
  auto* command =
      app.add_subcommand("activate", "Run a command or a shell in an environment")->alias("develop");
  add_directory(*command, options->directory);
  command
      ->add_option("-r,--reference", options->reference,
                   "environment of the catalog: OWNER/NAME (the latest generation), or OWNER/NAME:GENERATION")
      ->excludes(command->get_option("--dir"));
  command
      ->add_option("-g,--generation", options->generation,
                   "this generation, of the environment that -r names or that the directory's came from")
      ->check(CLI::Range(int64_t{1}, std::numeric_limits<int64_t>::max()))
      ->type_name("GENERATION");
  command->add_option("-m,--mode", options->mode,
                      "dev: with search paths for compilers; run: without (default: the manifest's, or dev)");
  auto* shell = command->add_option("-c,--command", options->shell_command, "run this shell command");
  auto* print = command->add_flag("--print-script", options->print_script, "print shell code for eval");
  command->add_option("COMMAND", options->command, "command and its arguments, after --")
      ->excludes(shell)
      ->excludes(print);
  command->positionals_at_end();
  command->footer(
      "Exit code: the command's own; 127 if there is no such command, 126 if it cannot be executed.\n\n"
      "Examples:\n  flox activate -- python3 app.py\n  flox activate -c 'echo $FLOX_ENV'\n"
      "  eval \"$(flox activate)\"\n  flox activate -r acme/web -- web --version");
  command->callback([options] { activate(*options); });
}

}  // namespace flox::cli
