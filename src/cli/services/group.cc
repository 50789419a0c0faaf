// flox services: programs that run beside the activations of an environment.
#include "cli/commands.h"
#include "cli/services/commands.h"

namespace flox::cli {

void add_services(CLI::App& app) {
  auto* services = app.add_subcommand("services", "Start, stop and examine the services of an environment");
  services->require_subcommand(1);
  services->footer(
      "They run as long as somebody is inside the environment.\n\n"
      "Examples:\n  flox activate --start-services\n  flox services status\n  flox services restart web");
  add_services_start(*services);
  add_services_stop(*services);
  add_services_restart(*services);
  add_services_status(*services);
  add_services_logs(*services);
}

}  // namespace flox::cli
