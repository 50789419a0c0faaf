// flox services restart
#include <memory>

#include "cli/services/commands.h"
#include "cli/services/known_services.h"

namespace flox::cli {

void add_services_restart(CLI::App& services) {
  auto options = std::make_shared<ServicesOptions>();
  auto* command =
      services.add_subcommand("restart", "Stop services and start them again, from inside the environment");
  add_services_options(*command, *options);
  command->footer(
      "Without names all are stopped, and those that the manifest has now are started.\n\n"
      "Example:\n  flox services restart");
  command->callback(
      [options] { ask_from_inside(*options, activation::Request::Kind::restart, "restarted"); });
}

}  // namespace flox::cli
