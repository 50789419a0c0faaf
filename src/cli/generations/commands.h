// The subcommands of flox generations, one file each.
#pragma once

#include <CLI/CLI.hpp>

namespace flox::cli {

void add_generations_list(CLI::App& generations);
void add_generations_history(CLI::App& generations);
void add_generations_diff(CLI::App& generations);
void add_generations_switch(CLI::App& generations);
void add_generations_rollback(CLI::App& generations);

}  // namespace flox::cli
