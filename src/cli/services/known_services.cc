#include "cli/services/known_services.h"

#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/os/process.h"
#include "base/printable.h"
#include "cli/inside_container.h"
#include "cli/options.h"
#include "cli/say.h"

namespace flox::cli {
namespace {

ServicesTarget target_of(const env::Environment& environment) {
  const nlohmann::json manifest = environment.manifest().json;
  const auto services = manifest.find("services");
  ServicesTarget target{
      .name = environment.name(), .project = environment.directory(), .environment = environment};
  if (services == manifest.end()) return target;
  target.here = env::services_from_json(*services, env::current_system());
  target.anywhere = env::services_from_json(*services, {});
  return target;
}

}  // namespace

ServicesTarget services_target(const std::string& directory) {
  try {
    return target_of(env::Environment::find(directory));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found || directory != ".") throw;
    const env::Variables variables = environment_for_children();
    if (const auto active = variables.find("FLOX_ENV_PROJECT"); active != variables.end())
      return target_of(env::Environment::open(active->second));
    const auto inside = inside_of_container();
    if (!inside) throw;
    return {.name = inside->name,
            .project = inside->project,
            .here = inside->services,
            .anywhere = inside->services,
            .environment = {}};
  }
}

std::vector<activation::ServiceStatus> ServicesTarget::running() const {
  auto keeper = activation::KeeperClient::find(keeper_directory_of(project));
  if (!keeper) return {};
  try {
    return keeper->status().services;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unavailable) throw;
    return {};  // the last one has just left
  }
}

std::vector<std::string> ServicesTarget::names(const std::vector<activation::ServiceStatus>& running,
                                               const std::vector<std::string>& asked) const {
  std::set<std::string> known;
  for (const auto& [service, unused] : here.by_name) known.insert(service);
  for (const auto& service : running) known.insert(service.name);
  if (asked.empty() && known.empty())
    throw Error(ErrorKind::not_found,
                fmt::format("environment '{}' has no services for {}", name, env::current_system()),
                "Define some in [services] of its manifest: flox edit.");
  for (const std::string& service : asked) {
    if (known.contains(service)) continue;
    throw Error(ErrorKind::not_found,
                anywhere.by_name.contains(service)
                    ? fmt::format("service '{}' is not available on {}", service, env::current_system())
                    : fmt::format("service '{}' does not exist", printable(service, 60)),
                known.empty() ? "" : fmt::format("Use one of {}.", fmt::join(known, ", ")));
  }
  return asked.empty() ? std::vector<std::string>(known.begin(), known.end()) : asked;
}

void add_services_options(CLI::App& command, ServicesOptions& options) {
  add_directory(command, options.directory);
  add_json(command, options.json);
  command.add_option("NAME", options.names, "services (default: all)");
}

void print_done(const activation::Answer& answer, const std::string& verb, const std::string& already,
                bool json) {
  if (json) {
    fmt::print("{}\n", nlohmann::json{{verb, answer.done}, {"unchanged", answer.unchanged}}.dump(2));
    return;
  }
  for (const std::string& name : answer.done) say("✔ Service '{}' {}.\n", name, verb);
  for (const std::string& name : answer.unchanged) say("⚠ Service '{}' {}.\n", name, already);
}

void ask_from_inside(const ServicesOptions& options, activation::Request::Kind kind,
                     const std::string& verb) {
  const ServicesTarget target = services_target(options.directory);
  const auto mode =
      env::active_mode(environment_for_children(), target.environment ? target.project : fs::path());
  if (!mode)
    throw Error(
        ErrorKind::invalid_input,
        fmt::format("services of environment '{}' run for those who are inside, and this process is not",
                    target.name),
        "Activate it first: flox activate --start-services.");
  target.names(target.running(), options.names);
  Inside inside = target.environment ? prepare_inside(*target.environment, *mode, "flox services")
                                     : inside_of_container().value();
  auto keeper = enter(inside, ::getpid(), false);
  if (!keeper)
    throw Error(
        ErrorKind::invalid_input, "services cannot be started by hook.on-activate, whose end they wait for",
        "Start them with the activation: flox activate --start-services, or services.auto-start = true.");
  print_done(keeper->ask(services_request(kind, inside, options.names)), verb, "is already running",
             options.json);
}

}  // namespace flox::cli
