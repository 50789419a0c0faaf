// flox edit: another manifest for an environment.
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <optional>

#include "base/command_line/program.h"
#include "base/error.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "base/os/kept_directory.h"
#include "base/os/process.h"
#include "cli/catalog_access.h"
#include "cli/changed_environment.h"
#include "cli/commands.h"
#include "cli/generation_files.h"
#include "cli/local_or_pod.h"
#include "cli/options.h"
#include "cli/options_of_flox.h"
#include "cli/say.h"
#include "env/environment.h"
#include "env/renaming.h"
#include "node/floxd/config.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t max_edited = 1 << 20;  // bytes, as of any manifest

struct EditOptions {
  EnvironmentChoice environment;
  std::string file;
  std::optional<std::string> name;
  bool reset = false;
};

std::string read_from(const std::string& file) {
  return file == "-" ? read_all(STDIN_FILENO) : read_file(file, max_edited);
}

std::string editor() {
  for (const char* name : {"VISUAL", "EDITOR"})
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') return value;
  return "vi";
}

// What the user's editor makes of the text. The file stays, for what cannot be used is not to be lost.
std::string edited(const std::string& text, const fs::path& file) {
  write_file(file, text, 0600);
  // The variable is a shell command, as for git: "code --wait".
  Process process({.argv = {"sh", "-c", editor() + " \"$1\"", "flox-edit", file}}, {.in = STDIN_FILENO});
  if (const int code = process.wait(); code != 0)
    fail(ErrorKind::invalid_input, "the editor ({}) ended with exit code {}", editor(), code);
  return read_file(file, max_edited);
}

// `file` is where the text after comes from.
void replace_manifest(ChangedEnvironment& changed, const std::string& before, const std::string& after,
                      const std::string& file) {
  auto resolver = make_resolver();
  env::ChangeContext context = changed.changing();
  context.is_typed = true;
  context.manifest_name = file == "-" ? "(standard input)" : file;
  changed.environment().edit(
      [&](const std::string& now) {
        if (now != before)
          throw Error(ErrorKind::conflict, "the manifest has changed since it was read",
                      "Nothing was written. Run 'flox edit' again.");
        return after;
      },
      *resolver, context);
  changed.finish();
}

void edit(const EditOptions& options) {
  ChangedEnvironment changed(options.environment, "flox edit");
  const env::Environment& environment = changed.environment();
  const std::string before = environment.manifest_text();
  const std::string what = fmt::format("editing environment '{}'", environment.name());
  if (!options.file.empty()) {
    in_context(what, [&] { replace_manifest(changed, before, read_from(options.file), options.file); });
  } else {
    // What the user has written stays if anything ends this process.
    const fs::path directory = make_kept_directory("flox-edit-");
    const fs::path file = directory / "manifest.toml";
    try {
      in_context(what, [&] { replace_manifest(changed, before, edited(before, file), file); });
    } catch (const Error& error) {
      if (!fs::exists(file) || read_file(file, max_edited) == before) {
        remove_tree(directory);
        throw;
      }
      throw Error(
          error.kind(), error.what(),
          fmt::format("{}{}Your text is in {}: correct it and run 'flox edit{} -f {}'.", error.advice(),
                      error.advice().empty() ? "" : " ", file.string(), changed.option(), file.string()));
    }
    remove_tree(directory);
  }
  say("✔ environment '{}' is as its manifest says\n", environment.name());
}

void rename(const EditOptions& options) {
  const env::Environment environment = env::Environment::find(options.environment.directory);
  in_context(fmt::format("renaming environment '{}'", environment.name()),
             [&] { env::rename_environment(environment, *options.name, writing(environment, "flox edit")); });
  const env::Environment renamed = env::Environment::open(environment.directory());
  say("✔ environment '{}' is called '{}'\n", environment.name(), renamed.name());
}

// The generation that the environment is at, as the catalog has it.
void reset(const EditOptions& options) {
  const env::Environment environment = env::Environment::find(options.environment.directory);
  const env::Origin origin = require_origin(environment, "resetting");
  catalog::EnvironmentName name = name_in(origin);
  name.generation = origin.here.number;
  const std::string doing = "resetting environment '" + environment.name() + "' to " + name.to_string();
  require_configured_catalog(origin, doing, "Set FLOX_CATALOG_URL.");
  const auto generation =
      in_context(doing, [&] { return verified_catalog(Config::load().token())->environment(name); }).pushed;
  bool same = false;
  in_context(doing, [&] {
    environment.check_out(
        {.manifest = generation.manifest, .lock = generation.lock, .origin = {}},
        [&](const env::EnvironmentFiles& now) {
          if (now.origin != origin.to_string())
            throw Error(ErrorKind::conflict, "it has become another generation meanwhile",
                        "Run the command again.");
          same = now.manifest == generation.manifest;
        },
        writing(environment, "flox edit"));
  });
  say("✔ environment '{}' is {}as generation {} of {}/{}\n", environment.name(), same ? "" : "again ",
      generation.generation, name.owner, name.name);
}

void run(const EditOptions& options) {
  if (options.name) return rename(options);
  if (options.reset) return reset(options);
  edit(options);
}

}  // namespace

void add_edit(CLI::App& app) {
  auto options = std::make_shared<EditOptions>();
  auto* command = app.add_subcommand("edit", "Edit the manifest, and lock and build the environment");
  add_directory(*command, options->environment.directory);
  auto* file = command->add_option("-f,--file", options->file,
                                   "take the manifest from this file; - for standard input");
  auto* name =
      command
          ->add_option("-n,--name", options->name,
                       "give the environment this name, and edit nothing; not one that the catalog has")
          ->excludes(file);
  auto* reset = command
                    ->add_flag("--reset", options->reset,
                               "give up what was changed since the generation that was pulled or pushed here")
                    ->excludes(file)
                    ->excludes(name);
  refuse_option(*command, "-s,--sync", "generations are made by publishing",
                "Run 'flox push', or give up what was changed with 'flox edit --reset'.");
  add_changed_reference(*command, options->environment.reference)->excludes(name)->excludes(reset);
  command->footer(
      "Opens the manifest in $VISUAL or $EDITOR (default: vi). What cannot be locked or built is not "
      "written.\n\n"
      "Examples:\n  flox edit\n  flox edit --name web\n  flox edit --reset\n  sed 's/8080/9090/' "
      ".flox/env/manifest.toml | flox edit -f -");
  command->callback([options] { run(*options); });
}

}  // namespace flox::cli
