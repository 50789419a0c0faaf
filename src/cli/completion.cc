// flox completion and flox manual: what shells and man(1) read, of the declarations that --help prints.
#include <algorithm>

#include "base/command_line/self_description.h"
#include "cli/commands.h"
#include "cli/other_program.h"

namespace flox::cli {
namespace {

// What stands behind "flox kube" is flox-kube's.
void complete_other_program(const std::vector<std::string>& words) {
  const auto command =
      std::ranges::find_if(words, [](const std::string& word) { return !word.starts_with('-'); });
  if (command == words.end() || *command != "kube" || command + 1 == words.end()) return;
  std::vector<std::string> arguments = {"complete-words", "words"};
  arguments.insert(arguments.end(), command + 1, words.end());
  execute_program("flox-kube", "flox kube", arguments);
}

}  // namespace

void add_completion(CLI::App& app) { flox::add_completion(app, {.elsewhere = complete_other_program}); }

void add_manual(CLI::App& app) { flox::add_manual(app, {}); }

}  // namespace flox::cli
