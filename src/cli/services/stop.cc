// flox services stop
#include <memory>

#include "base/error.h"
#include "cli/services/commands.h"
#include "cli/services/known_services.h"

namespace flox::cli {
namespace {

void stop_services(const ServicesOptions& options) {
  const ServicesTarget target = services_target(options.directory);
  target.names(target.running(), options.names);
  auto keeper = activation::KeeperClient::find(keeper_directory_of(target.project));
  if (!keeper)
    throw Error(ErrorKind::not_found,
                fmt::format("no services of environment '{}' were started", target.name),
                "Start them with 'flox activate --start-services'.");
  activation::Request request;
  request.kind = activation::Request::Kind::stop;
  request.names = options.names;
  print_done(keeper->ask(request), "stopped", "is not running", options.json);
}

}  // namespace

void add_services_stop(CLI::App& services) {
  auto options = std::make_shared<ServicesOptions>();
  auto* command = services.add_subcommand("stop", "Stop services, and wait until they have stopped");
  add_services_options(*command, *options);
  command->footer(
      "A service is stopped by its shutdown.command or by SIGTERM, and by SIGKILL 10 seconds later.\n\n"
      "Example:\n  flox services stop web");
  command->callback([options] { stop_services(*options); });
}

}  // namespace flox::cli
