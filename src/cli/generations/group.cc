// flox generations: its group of commands.
#include "cli/commands.h"
#include "cli/generations/commands.h"

namespace flox::cli {

void add_generations(CLI::App& app) {
  auto* generations =
      app.add_subcommand("generations", "Look at the generations of an environment, and go back to one");
  generations->require_subcommand(1);
  generations->footer(
      "Examples:\n  flox generations list\n  flox generations diff 3 5\n  flox generations rollback");
  add_generations_list(*generations);
  add_generations_history(*generations);
  add_generations_diff(*generations);
  add_generations_switch(*generations);
  add_generations_rollback(*generations);
}

}  // namespace flox::cli
