// [services]: programs that run beside an activation (docs/formats/manifest.md).
#pragma once  // Fuzzed by fuzz/manifest.cc.

#include <chrono>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/data/toml.h"

namespace flox::env {

// What another service must have come to before one that depends on it starts: its process has started, has
// ended, or has ended with exit code 0.
enum class StartCondition { process_started, process_completed, process_completed_successfully };

struct Service {
  std::string command;                      // run by bash
  std::map<std::string, std::string> vars;  // of this service alone
  bool is_daemon = false;                   // the command ends, and what it has started goes on
  std::string shutdown_command;             // stops it in place of a signal
  int shutdown_signal = 15;                 // SIGTERM
  std::chrono::seconds shutdown_limit{10};  // from then to SIGKILL; process-compose's, which Flox uses
  std::map<std::string, StartCondition> depends_on;  // by name

  bool operator==(const Service&) const = default;
};

struct Services {
  bool auto_start = false;
  std::map<std::string, Service> by_name;  // at most 256, names of up to 64 bytes that can be files' names

  bool operator==(const Services&) const = default;
};

// Complains about the first thing in [services] that is unknown, ill-typed or missing. `complain` throws.
using Complain = std::function<void(const toml::node& where, const std::string& what)>;
void check_services(const toml::node& services, const Complain& complain);

// Where a service depends on the other one, "FILE:LINE:COLUMN", for messages.
using PlaceOfDependency = std::function<std::string(const std::string& service, const std::string& other)>;

// Those of a manifest's "services" member that are for the system, and with an empty one all. What a service
// depends on and is for other systems only is not waited for. Unknown keys are passed over. Throws
// Error(invalid_input) for a service that could not be run: by its name, variables or number, or because it
// waits for itself or for one that is not there; of these two it says the place, if that is known.
Services services_from_json(const nlohmann::json& services, std::string_view system,
                            const PlaceOfDependency& place_of = {});

// activate.d/services.json of a profile (docs/formats/profile.md).
std::string to_text(const Services& services);
Services parse_services(std::string_view text);

}  // namespace flox::env
