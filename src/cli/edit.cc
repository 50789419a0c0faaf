// flox edit: another manifest for an environment.
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "base/error.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "base/os/kept_directory.h"
#include "base/os/process.h"
#include "cli/commands.h"
#include "cli/local_or_pod.h"
#include "cli/options.h"
#include "cli/say.h"
#include "env/environment.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t max_edited = 1 << 20;  // bytes, as of any manifest

struct EditOptions {
  std::string directory = ".";
  std::string file;
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
void replace_manifest(const env::Environment& environment, const std::string& before,
                      const std::string& after, const std::string& file) {
  // What is wrong is wrong in the user's file.
  env::Manifest::parse(after, file == "-" ? "(standard input)" : file);
  auto resolver = make_resolver();
  environment.edit(
      [&](const std::string& now) {
        if (now != before)
          throw Error(ErrorKind::conflict, "the manifest has changed since it was read",
                      "Nothing was written. Run 'flox edit' again.");
        return after;
      },
      *resolver, changing(environment, "flox edit"));
}

void edit(const EditOptions& options) {
  const env::Environment environment = env::Environment::find(options.directory);
  const std::string before = environment.manifest_text();
  const std::string what = fmt::format("editing environment '{}'", environment.name());
  if (!options.file.empty()) {
    in_context(what, [&] { replace_manifest(environment, before, read_from(options.file), options.file); });
  } else {
    // What the user has written stays if anything ends this process.
    const fs::path directory = make_kept_directory("flox-edit-");
    const fs::path file = directory / "manifest.toml";
    try {
      in_context(what, [&] { replace_manifest(environment, before, edited(before, file), file); });
    } catch (const Error& error) {
      if (!fs::exists(file) || read_file(file, max_edited) == before) {
        remove_tree(directory);
        throw;
      }
      throw Error(error.kind(), error.what(),
                  fmt::format("{}{}Your text is in {}: correct it and run 'flox edit -f {}'.", error.advice(),
                              error.advice().empty() ? "" : " ", file.string(), file.string()));
    }
    remove_tree(directory);
  }
  say("✔ environment '{}' is as its manifest says\n", environment.name());
}

}  // namespace

void add_edit(CLI::App& app) {
  auto options = std::make_shared<EditOptions>();
  auto* command = app.add_subcommand("edit", "Edit the manifest, and lock and build the environment");
  add_directory(*command, options->directory);
  command->add_option("-f,--file", options->file, "take the manifest from this file; - for standard input");
  command->footer(
      "Opens the manifest in $VISUAL or $EDITOR (default: vi). What cannot be locked or built is not "
      "written.\n\n"
      "Examples:\n  flox edit\n  flox list --config | sed 's/8080/9090/' | flox edit -f -");
  command->callback([options] { edit(*options); });
}

}  // namespace flox::cli
