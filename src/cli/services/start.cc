// flox services start
#include <memory>

#include "cli/services/commands.h"
#include "cli/services/known_services.h"

namespace flox::cli {

void add_services_start(CLI::App& services) {
  auto options = std::make_shared<ServicesOptions>();
  auto* command = services.add_subcommand("start", "Start services, from inside the environment");
  add_services_options(*command, *options);
  command->footer(
      "If none runs, services start as the manifest has them now; beside others, as it was when those "
      "started.\n\n"
      "Example:\n  flox services start web");
  command->callback([options] { ask_from_inside(*options, activation::Request::Kind::start, "started"); });
}

}  // namespace flox::cli
