// flox init: a new environment.
#include <algorithm>
#include <memory>

#include "base/error.h"
#include "base/printable.h"
#include "catalog/model.h"
#include "cli/commands.h"
#include "cli/known_environments.h"
#include "cli/local_or_pod.h"
#include "cli/say.h"
#include "env/environment.h"
#include "env/manifest_edit.h"
#include "env/project_files.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

struct InitOptions {
  std::string new_directory;
  std::string directory = ".";
  std::string name;
  bool bare = false;
  bool auto_setup = false;
  bool no_auto_setup = false;
};

// "go 1.22 (go.mod)".
std::string shown(const std::string& name, const std::string& version, const std::string& because) {
  return fmt::format("{}{}{} ({})", name, version.empty() ? "" : " ", printable(version),
                     printable(because, 60));
}

// The constraint, unless our catalogs do not have the form that the file has it in, such as "18 || 20".
std::optional<std::string> usable_version(const env::SuggestedPackage& package) {
  if (package.version.empty()) return std::nullopt;
  try {
    (void)catalog::VersionConstraint(package.version);
    return package.version;
  } catch (const Error&) {
    say("! {}: '{}' is not a version constraint of a manifest, so any version is taken\n",
        printable(package.because, 60), printable(package.version));
    return std::nullopt;
  }
}

// The packages that the catalog has, in a new manifest; the others are said. `done` gets what is shown of
// the former.
std::string with_suggested(const std::vector<env::SuggestedPackage>& suggested, env::Resolver& resolver,
                           std::vector<std::string>& done) {
  std::string text = env::initial_manifest();
  for (const env::SuggestedPackage& package : suggested) {
    const std::optional<std::string> version = usable_version(package);
    const env::Manifest manifest = env::Manifest::parse(text, "manifest.toml");
    std::string found;
    for (const std::string& name : package.names) {
      env::InstallDescriptor descriptor;
      descriptor.pkg_path = name;
      descriptor.version = version;
      if (!manifest.install.contains(name)) try {
          (void)env::systems_of_package(name, descriptor, manifest, resolver);
          text = env::with_install(text, name, descriptor);
          done.push_back(shown(name, version.value_or(""), package.because));
        } catch (const Error& error) {
          if (error.kind() != ErrorKind::not_found) throw;
          continue;
        }
      found = name;
      break;
    }
    if (found.empty())
      say("! the catalog does not have {}\n",
          shown(fmt::format("{}", fmt::join(package.names, " or ")), version.value_or(""), package.because));
  }
  return text;
}

// Made whole: with its packages, which are present then, or not at all.
env::Environment made_with_packages(const fs::path& directory, const std::string& name,
                                    const std::vector<env::SuggestedPackage>& suggested,
                                    std::vector<std::string>& done) {
  const auto resolver = make_resolver();
  return in_context(fmt::format("setting up environment '{}'", name), [&] {
    const std::string text = with_suggested(suggested, *resolver, done);
    if (done.empty()) return env::Environment::init(directory, name);
    const env::Manifest manifest = env::Manifest::parse(text, "manifest.toml");
    const std::optional<env::Lockfile> no_lock;
    const std::optional<env::Manifest> no_manifest;
    const env::Lockfile lock = env::make_lock({.wanted = manifest,
                                               .old_lock = no_lock,
                                               .old_manifest = no_manifest,
                                               .anew = {},
                                               .only_system = {},
                                               .directory = directory,
                                               .include_anew = {}},
                                              *resolver);
    try_profile(name, lock);
    return env::Environment::init(directory, name, {.manifest = text, .lock = lock, .origin = {}});
  });
}

std::vector<env::SuggestedPackage> suggested_for(const InitOptions& options, const fs::path& directory) {
  if (options.bare || options.no_auto_setup || !fs::is_directory(directory)) return {};
  try {
    return env::suggested_packages(directory);
  } catch (const Error&) {
    if (options.auto_setup) throw;
    return {};
  }
}

// What to type for what was found and not installed.
void say_suggestions(const std::vector<env::SuggestedPackage>& suggested) {
  std::string names, files;
  for (const env::SuggestedPackage& package : suggested) {
    names += " " + package.names.front();
    const std::string file = printable(package.because, 60);
    if (files.find(file) == std::string::npos) files += (files.empty() ? "" : ", ") + file;
  }
  if (!names.empty())
    say("\nFor {}:\n  $ flox install{}\n'flox init --auto-setup' does that from the beginning.\n", files,
        names);
}

void init(const InitOptions& options) {
  fs::path directory = fs::absolute(options.directory);
  if (!options.new_directory.empty()) directory /= options.new_directory;
  std::string name = options.name;
  std::ranges::replace(name, ' ', '-');
  if (name.empty()) name = env::name_of_directory(directory);
  const std::vector<env::SuggestedPackage> suggested = suggested_for(options, directory);
  std::vector<std::string> done;
  const bool sets_up = options.auto_setup && !suggested.empty() && !fs::exists(directory / ".flox");
  const env::Environment environment = sets_up ? made_with_packages(directory, name, suggested, done)
                                               : env::Environment::init(directory, name);
  remember_environment(environment);
  say("⚡︎ Created environment '{}' ({})\n", environment.name(), env::current_system());
  for (const std::string& package : done) say("✔ {}\n", package);
  say("\nNext:\n  $ flox search <package>    find packages\n"
      "  $ flox install <package>   add them\n  $ flox activate            enter the environment\n");
  if (!options.auto_setup) say_suggestions(suggested);
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
  auto* setup = command->add_flag(
      "--auto-setup", options->auto_setup,
      "install what the directory's files call for (package.json, requirements.txt, go.mod, Cargo.toml and "
      "others) and the catalog has");
  command->add_flag("--no-auto-setup", options->no_auto_setup, "do not look at the directory's files")
      ->excludes(setup);
  command->add_flag("-b,--bare", options->bare, "the same: an environment of which nothing is suggested")
      ->excludes(setup);
  command->footer(
      "Without --auto-setup, what the files call for is only said. Versions are those that package.json "
      "(engines),\n"
      "pyproject.toml (requires-python), .nvmrc, .node-version and .python-version name.\n\n"
      "Examples:\n  flox init\n  flox init web      create ./web and an environment in it\n"
      "  flox init --auto-setup");
  command->callback([options] { init(*options); });
}

}  // namespace flox::cli
