// flox deactivate: leaves the environment that was activated last.
#include <unistd.h>

#include "activation/keeper/attaching.h"
#include "activation/shell_script.h"
#include "activation/undo.h"
#include "activation/user_shell.h"
#include "base/error.h"
#include "base/os/process.h"
#include "base/printable.h"
#include "cli/commands.h"

namespace flox::cli {
namespace {

using activation::Shell;
using activation::Undo;

std::string code_for(Shell shell, const std::vector<Undo>& layers, const env::Variables& now) {
  const Undo& last = layers.front();
  if (last.subshell) return "exit;\n";
  std::string text =
      activation::deactivate_scripts(shell, last.profile) + activation::undo_script(shell, last, now);
  const std::vector<Undo> others(layers.begin() + 1, layers.end());
  text += others.empty()
              ? activation::unset(shell, activation::undo_variable)
              : activation::exported(shell, activation::undo_variable, activation::to_text(others));
  if (!last.keeper.empty())
    text += activation::detaching(shell, last.keeper, {.profile = last.profile, .mode = last.mode});
  return text;
}

void deactivate() {
  const env::Variables now = environment_for_children();
  const std::vector<Undo> layers = activation::active_layers(now);
  if (layers.empty())
    throw Error(ErrorKind::not_found, "no environment is active in this shell",
                "Activate one with 'flox activate'.");
  if (::isatty(STDOUT_FILENO) != 0)
    throw Error(ErrorKind::invalid_input,
                fmt::format("deactivating environment '{}': only the shell itself can leave it",
                            printable(layers.front().name, 60)),
                layers.front().subshell ? "Type 'exit'." : "Run eval \"$(flox deactivate)\".");
  fmt::print("{}", code_for(activation::shell_of_caller(now), layers, now));
}

}  // namespace

void add_deactivate(CLI::App& app) {
  auto* command =
      app.add_subcommand("deactivate", "Leave the environment that was activated last in this shell");
  command->footer(
      "Prints shell code that runs [profile] deactivate and takes back what the activation has set; in a "
      "shell that\n"
      "flox activate has started, code that ends it.\n\n"
      "Example:\n  eval \"$(flox deactivate)\"");
  command->callback([] { deactivate(); });
}

}  // namespace flox::cli
