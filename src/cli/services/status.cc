// flox services status
#include <algorithm>
#include <memory>

#include "cli/services/commands.h"
#include "cli/services/known_services.h"

namespace flox::cli {
namespace {

void print_json(const std::vector<activation::ServiceStatus>& services) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& service : services) {
    nlohmann::json entry = {
        {"name", service.name}, {"status", service.status}, {"pid", nullptr}, {"exit_code", nullptr}};
    if (service.pid) entry["pid"] = *service.pid;
    if (service.exit_code) entry["exit_code"] = *service.exit_code;
    list.push_back(std::move(entry));
  }
  fmt::print("{}\n", list.dump(2));
}

void print_table(const std::vector<activation::ServiceStatus>& services) {
  size_t width = 10;
  for (const auto& service : services) width = std::max(width, service.name.size());
  fmt::print("{:<{}} {:<14} {:>8}\n", "NAME", width, "STATUS", "PID");
  for (const auto& service : services) {
    const std::string status = service.exit_code && *service.exit_code != 0
                                   ? fmt::format("{} ({})", service.status, *service.exit_code)
                                   : service.status;
    fmt::print("{:<{}} {:<14} {:>8}\n", service.name, width, status,
               service.pid ? std::to_string(*service.pid) : "-");
  }
}

void show_status(const ServicesOptions& options) {
  const ServicesTarget target = services_target(options.directory);
  const auto running = target.running();
  std::vector<activation::ServiceStatus> shown;
  for (const std::string& name : target.names(running, options.names)) {
    const auto found = std::ranges::find(running, name, &activation::ServiceStatus::name);
    shown.push_back(
        found != running.end()
            ? *found
            : activation::ServiceStatus{.name = name, .status = "Stopped", .pid = {}, .exit_code = {}});
  }
  options.json ? print_json(shown) : print_table(shown);
}

}  // namespace

void add_services_status(CLI::App& services) {
  auto options = std::make_shared<ServicesOptions>();
  auto* command = services.add_subcommand("status", "Show which services run");
  add_services_options(*command, *options);
  command->footer(
      "Running; Launched: a daemon; Completed: it has ended by itself, with an exit code; Stopping; "
      "Stopped.\n\n"
      "Example:\n  flox services status --json | jq '.[] | select(.status != \"Running\")'");
  command->callback([options] { show_status(*options); });
}

}  // namespace flox::cli
