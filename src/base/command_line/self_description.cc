#include "base/command_line/self_description.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string_view>

#include "base/command_line/completion.h"
#include "base/command_line/completion_scripts.h"
#include "base/command_line/manual.h"
#include "base/os/directory.h"

namespace flox {
namespace {

namespace fs = std::filesystem;

constexpr const char* manual_command = "manual";

// Ends the program with success, whatever else it does.
[[noreturn]] void end_command_line() { throw CLI::RuntimeError(0); }

CLI::App* add_completion_script(CLI::App& app) {
  const std::string program = manual_name(app);
  auto shell = std::make_shared<std::string>();
  auto* command = app.add_subcommand(
      "completion", fmt::format("Print the script with which a shell completes {}", program));
  command->add_option("SHELL", *shell, "the shell")->required()->check(CLI::IsMember(completed_shells()));
  command->footer(
      fmt::format("Examples:\n  source <({0} completion bash)\n  source <({0} completion zsh)\n"
                  "  {0} completion fish | source\n\n"
                  "Such a line in the shell's start-up file makes it last.",
                  program));
  command->callback([shell, program] {
    fmt::print("{}", completion_script(*shell, program));
    end_command_line();
  });
  return command;
}

CLI::App* add_manual_pages(CLI::App& app, int section) {
  const std::string program = manual_name(app);
  auto directory = std::make_shared<std::string>();
  auto* command = app.add_subcommand(manual_command, "Write the manual pages and the shells' completions");
  command->add_option("DIRECTORY", *directory, "the share of a prefix, as /usr/local/share")->required();
  command->footer(fmt::format(
      "It writes DIRECTORY/man/man{1}/{0}*.{1}, and a completion of {0} for bash, fish and zsh where each "
      "looks\n"
      "for it below such a directory. They replace those of an older {0}.\n\n"
      "Example:\n  {0} manual ~/.local/share && man {0}",
      program, section));
  command->callback([&app, directory, section] {
    write_manual(app, section, *directory);
    end_command_line();
  });
  return command;
}

void add_complete_words(CLI::App& app, std::function<void(const std::vector<std::string>&)> elsewhere) {
  // The first word is any: no option, so that the parser looks at none of the others.
  auto* words = app.add_subcommand("complete-words")->group("");
  words->prefix_command();
  words->fallthrough(false);
  words->set_help_flag();
  words->callback([&app, words, elsewhere = std::move(elsewhere)] {
    std::vector<std::string> given = words->remaining();
    if (!given.empty()) given.erase(given.begin());
    if (elsewhere) elsewhere(given);
    fmt::print("{}", completion_text(complete_words(app, given)));
    end_command_line();
  });
}

}  // namespace

bool asks_for_manual(int argc, char** argv) {
  return argc > 1 && std::string_view(argv[1]) == manual_command;
}

void write_manual(const CLI::App& app, int section, const std::string& share) {
  fs::create_directories(share);
  const Directory directory{fs::path(share)};
  const Directory pages = directory.make_directory(fmt::format("man/man{}", section));
  for (const CLI::App* command : commands_with_pages(app))
    pages.write_file(fmt::format("{}.{}", manual_name(*command), section), manual_page(*command, section));
  const std::string program = manual_name(app);
  for (const std::string& shell : completed_shells()) {
    const fs::path file = completion_file(shell, program);
    directory.make_directory(file.parent_path().string())
        .write_file(file.filename().string(), completion_script(shell, program));
  }
}

void add_completion(CLI::App& app, const SelfDescription& description) {
  CLI::App* const command = add_completion_script(app);
  if (!description.is_shown) command->group("");
  add_complete_words(app, description.elsewhere);
}

void add_manual(CLI::App& app, const SelfDescription& description) {
  CLI::App* const command = add_manual_pages(app, description.section);
  if (!description.is_shown) command->group("");
}

void add_self_description(CLI::App& app, const SelfDescription& description) {
  add_completion(app, description);
  add_manual(app, description);
}

}  // namespace flox
