// flox run: a program of a package of the catalog, without an environment of one's own.
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "base/command_line/program.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/os/private_directory.h"
#include "base/printable.h"
#include "cli/commands.h"
#include "cli/inside.h"
#include "cli/local_or_pod.h"
#include "cli/options_of_flox.h"
#include "cli/say.h"
#include "cli/starting.h"
#include "env/environment.h"
#include "env/manifest_edit.h"
#include "nix/base32.h"

namespace flox::cli {
namespace {

constexpr size_t most_named = 10;  // programs in a message

struct RunOptions {
  std::string package, program, other_package;
  std::vector<std::string> arguments;
};

env::Environment made_or_opened(const fs::path& directory, const std::string& name) {
  if (!fs::exists(directory / ".flox")) try {
      return env::Environment::init(directory, name);
    } catch (const Error& error) {  // somebody was quicker
      if (error.kind() != ErrorKind::conflict) throw;
    }
  return env::Environment::open(directory);
}

// An environment of the user's cache that has this package alone, at the newest version that fits; at the one
// that is here if the catalog cannot be asked.
env::Environment environment_with(const env::NamedPackage& package, const std::string& text) {
  const fs::path directory =
      user_cache_directory("run") / nix::to_base32(bytes_of(sha256(text))).substr(0, 32);
  env::Environment environment = made_or_opened(directory, package.install_id);
  auto resolver = make_resolver();
  env::ChangeContext context = changing(environment, "flox run");
  context.anew = [](const std::string&) { return true; };
  try {
    environment.edit(
        [&](const std::string& manifest) {
          return env::Manifest::parse(manifest, "manifest.toml").install.contains(package.install_id)
                     ? manifest
                     : env::with_install(manifest, package.install_id, package.descriptor);
        },
        *resolver, context);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unavailable || !environment.lockfile()) throw;
    say("! {}; using what is here\n", error.what());
  }
  return environment;
}

// The one called as the package, or the only one.
std::string program_of(const Inside& inside, const env::NamedPackage& package) {
  std::vector<std::string> programs;
  std::error_code none;
  for (const char* directory : {"bin", "sbin"})
    for (const auto& entry : fs::directory_iterator(fs::path(inside.profile()) / directory, none))
      programs.push_back(entry.path().filename().string());
  std::ranges::sort(programs);
  const auto same = std::ranges::unique(programs);
  programs.erase(same.begin(), same.end());
  if (std::ranges::find(programs, package.install_id) != programs.end()) return package.install_id;
  if (programs.size() == 1) return programs.front();
  if (programs.empty())
    throw ExitError(
        exit_command_not_found,
        Error(ErrorKind::not_found, fmt::format("{} has no program", printable(package.install_id)),
              "Install it into an environment: flox install."));
  const size_t shown = std::min(programs.size(), most_named);
  std::string names;
  for (size_t i = 0; i < shown; ++i) names += (i == 0 ? "" : ", ") + printable(programs[i]);
  throw ExitError(exit_command_not_found,
                  Error(ErrorKind::not_found,
                        fmt::format("{0} has no program '{0}', but {1}{2}", printable(package.install_id),
                                    names, shown < programs.size() ? ", …" : ""),
                        "Choose one with --program."));
}

// With --package the first word is the program, as Flox has it.
RunOptions with_package_first(RunOptions options) {
  if (options.other_package.empty()) return options;
  if (!options.package.empty()) options.program = options.package;
  options.package = options.other_package;
  return options;
}

void run_program_of(const RunOptions& given) {
  const RunOptions options = with_package_first(given);
  if (options.package.empty()) fail_usage("PACKAGE is required", "Name the package whose program is to run.");
  const env::NamedPackage package = env::parse_package(options.package);
  Inside inside =
      prepare_inside(environment_with(package, options.package), "run", "flox run", fs::current_path(), true);
  std::vector<std::string> command = options.arguments;
  command.insert(command.begin(), options.program.empty() ? program_of(inside, package) : options.program);
  auto keeper = enter(inside, ::getpid(), false);
  const ToStart what = command_to_start(inside, command);
  throw CLI::RuntimeError(start(inside, what, std::move(keeper)));
}

}  // namespace

void add_run(CLI::App& app) {
  auto options = std::make_shared<RunOptions>();
  auto* command = app.add_subcommand("run", "Run a program of a package without installing it");
  command->add_option("PACKAGE", options->package,
                      "NAME, NAME@VERSION or a store path; with --package the program");
  command->add_option("ARGUMENT", options->arguments, "arguments of the program, after --");
  auto* program = command->add_option(
      "--program", options->program,
      "which of the package's programs (default: the one called as the package, or the only one)");
  command
      ->add_option("-p,--package", options->other_package,
                   "package that has the program, which PACKAGE then names")
      ->excludes(program);
  refuse_option(*command, "--reselect", "no choice of a package is remembered",
                "Name the package: flox run PACKAGE, or --package PACKAGE PROGRAM.");
  command->footer(
      "It is the newest version that fits, or the one that is here if the catalog does not answer. Exit "
      "code: the\n"
      "program's own; 127 if there is no such program, 126 if it cannot be executed.\n\n"
      "Examples:\n  flox run jq -- .name package.json\n  flox run python3@3.11 --program pydoc3 -- json\n"
      "  flox run -p python3@3.11 pydoc3 -- json");
  command->callback([options] { run_program_of(*options); });
}

}  // namespace flox::cli
