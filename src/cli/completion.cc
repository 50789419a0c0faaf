// flox completion and flox manual: what shells and man(1) read, of the declarations that --help prints.
#include "base/command_line/completion.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "base/command_line/completion_scripts.h"
#include "base/command_line/manual.h"
#include "base/os/directory.h"
#include "cli/commands.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

void write_manual(const CLI::App& app, const fs::path& share) {
  fs::create_directories(share);
  const Directory directory(share);
  const Directory pages = directory.make_directory("man/man1");
  for (const CLI::App* command : commands_with_pages(app))
    pages.write_file(manual_name(*command) + ".1", manual_page(*command));
  for (const std::string& shell : completed_shells()) {
    const fs::path file = completion_file(shell, app.get_name());
    directory.make_directory(file.parent_path().string())
        .write_file(file.filename().string(), completion_script(shell, app.get_name()));
  }
}

}  // namespace

void add_completion(CLI::App& app) {
  auto shell = std::make_shared<std::string>();
  auto* command = app.add_subcommand("completion", "Print the script with which a shell completes flox");
  command->add_option("SHELL", *shell, "the shell")->required()->check(CLI::IsMember(completed_shells()));
  command->footer(
      "Examples:\n  source <(flox completion bash)\n  source <(flox completion zsh)\n"
      "  flox completion fish | source\n\n"
      "Such a line in the shell's start-up file makes it last.");
  command->callback([&app, shell] { fmt::print("{}", completion_script(*shell, app.get_name())); });

  // What those scripts ask. The first word is any: no option, so that the parser looks at none of the others.
  auto* words = app.add_subcommand("complete-words")->group("");
  words->prefix_command();
  words->set_help_flag();
  words->callback([&app, words] {
    std::vector<std::string> given = words->remaining();
    if (!given.empty()) given.erase(given.begin());
    fmt::print("{}", completion_text(complete_words(app, given)));
  });
}

void add_manual(CLI::App& app) {
  auto directory = std::make_shared<std::string>();
  auto* command = app.add_subcommand("manual", "Write the manual pages and the shells' completions");
  command->add_option("DIRECTORY", *directory, "the share of a prefix, as /usr/local/share")->required();
  command->footer(
      "It writes DIRECTORY/man/man1/flox*.1, and a completion of flox for bash, fish and zsh where each "
      "looks\n"
      "for it below such a directory. They replace those of an older flox.\n\n"
      "Example:\n  flox manual ~/.local/share && man flox-install");
  command->callback([&app, directory] { write_manual(app, *directory); });
}

}  // namespace flox::cli
