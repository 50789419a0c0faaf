#include "env/services.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "base/data/json.h"
#include "base/error.h"
#include "base/os/directory.h"
#include "base/printable.h"

namespace flox::env {
namespace {

using nlohmann::json;

constexpr size_t max_services = 256;
constexpr size_t max_service_name = 64;
constexpr size_t max_services_file = 4 << 20;  // bytes; a manifest has at most one MiB
constexpr int64_t most_seconds = 86'400;       // of a service's shutdown

// StartCondition, as manifests have it.
constexpr std::array conditions = {"process_started", "process_completed", "process_completed_successfully"};

std::optional<StartCondition> condition_of(std::string_view text) {
  const auto* const found = std::ranges::find(conditions, text);
  if (found == conditions.end()) return std::nullopt;
  return static_cast<StartCondition>(found - conditions.begin());
}

// It becomes the name of a log, and a word of a command line, which may be quoted.
bool is_service_name(std::string_view name) {
  return is_file_name(name) && name.size() <= max_service_name && printable(name) == name && name[0] != '-' &&
         name[0] != '.' && name.front() != ' ' && name.back() != ' ';
}

bool is_variable(std::string_view name, std::string_view value) {
  return !name.empty() && name.find('=') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos && value.find('\0') == std::string_view::npos;
}

void check_string(const toml::table& table, std::string_view key, const std::string& name,
                  const Complain& complain) {
  if (const auto* node = table.get(key); node != nullptr && !node->is_string())
    complain(*node, fmt::format("{}.{} must be a string", name, key));
}

void check_only(const toml::table& table, const std::string& name, const std::set<std::string_view>& known,
                const Complain& complain) {
  for (const auto& [key, value] : table)
    if (!known.contains(key.str()))
      complain(value, fmt::format("unknown key '{}' in {}; known: {}", printable(key.str(), 60), name,
                                  fmt::join(known, ", ")));
}

void check_vars(const toml::node& node, const std::string& name, const Complain& complain) {
  if (!node.is_table()) complain(node, name + ".vars must be a table");
  for (const auto& [key, value] : *node.as_table()) {
    if (!value.is_string())
      complain(value, fmt::format("{}.vars.{} must be a string", name, printable(key.str(), 60)));
    if (!is_variable(key.str(), value.as_string()->get()))
      complain(value, fmt::format("'{}' in {}.vars cannot be a variable", printable(key.str(), 60), name));
  }
}

void check_systems(const toml::node& node, const std::string& name, const Complain& complain) {
  if (!node.is_array()) complain(node, name + ".systems must be a list of strings");
  for (const auto& system : *node.as_array())
    if (!system.is_string()) complain(system, name + ".systems must be a list of strings");
}

void check_shutdown(const toml::node& node, const std::string& name, const Complain& complain) {
  if (!node.is_table()) complain(node, name + ".shutdown must be a table");
  const auto& shutdown = *node.as_table();
  check_only(shutdown, name + ".shutdown", {"command", "timeout-seconds", "signal"}, complain);
  if (shutdown.empty()) complain(node, name + ".shutdown needs a command, signal or timeout-seconds");
  check_string(shutdown, "command", name + ".shutdown", complain);
  if (const auto* limit = shutdown.get("timeout-seconds"))
    if (const auto seconds = limit->value_exact<int64_t>();
        !seconds || *seconds < 1 || *seconds > most_seconds)
      complain(*limit, fmt::format("{}.shutdown.timeout-seconds must be 1 to {}", name, most_seconds));
  if (const auto* signal = shutdown.get("signal")) {
    if (const auto number = signal->value_exact<int64_t>(); !number || *number < 1 || *number > 31)
      complain(*signal, name + ".shutdown.signal must be the number of a signal, 1 to 31");
    if (shutdown.get("command") != nullptr)
      complain(*signal, name + ".shutdown has a command, in place of which no signal is sent");
  }
}

void check_depends_on(const toml::node& node, const std::string& name, const Complain& complain) {
  if (!node.is_table()) complain(node, name + ".depends-on must be a table");
  for (const auto& [key, value] : *node.as_table()) {
    const std::string edge = fmt::format("{}.depends-on.{}", name, printable(key.str(), 60));
    if (!is_service_name(key.str())) complain(value, edge + " does not name a service");
    if (!value.is_table()) complain(value, fmt::format("{} must be a table, {{ condition = … }}", edge));
    check_only(*value.as_table(), edge, {"condition"}, complain);
    const auto* condition = value.as_table()->get("condition");
    const auto text = condition == nullptr ? std::nullopt : condition->value_exact<std::string>();
    if (!text || !condition_of(*text))
      complain(condition == nullptr ? value : *condition,
               fmt::format("{}.condition must be one of {}", edge, fmt::join(conditions, ", ")));
  }
}

// What goes into the systemd units that Flox makes of services: kept for it, nothing here makes such units.
void check_systemd(const toml::node& node, const std::string& name, const Complain& complain) {
  if (!node.is_table()) complain(node, name + ".systemd must be a table");
  check_only(*node.as_table(), name + ".systemd", {"service", "unit"}, complain);
  for (const auto& [section, settings] : *node.as_table())
    if (!settings.is_table())
      complain(settings, fmt::format("{}.systemd.{} must be a table", name, section.str()));
}

void check_service(const toml::node& node, const std::string& name, const Complain& complain) {
  if (!node.is_table()) complain(node, name + " must be a table");
  const auto& service = *node.as_table();
  check_only(service, name, {"command", "vars", "is-daemon", "shutdown", "systems", "depends-on", "systemd"},
             complain);
  if (service.get("command") == nullptr) complain(node, name + " needs a command");
  check_string(service, "command", name, complain);
  if (const auto* vars = service.get("vars")) check_vars(*vars, name, complain);
  if (const auto* systems = service.get("systems")) check_systems(*systems, name, complain);
  if (const auto* shutdown = service.get("shutdown")) check_shutdown(*shutdown, name, complain);
  if (const auto* systemd = service.get("systemd")) check_systemd(*systemd, name, complain);
  if (const auto* others = service.get("depends-on")) check_depends_on(*others, name, complain);
  if (const auto* daemon = service.get("is-daemon"); daemon != nullptr && !daemon->is_boolean())
    complain(*daemon, name + ".is-daemon must be true or false");
}

bool is_for(const json& service, std::string_view system) {
  const auto systems = service.find("systems");
  if (system.empty() || systems == service.end() || !systems->is_array()) return true;
  return std::ranges::find(*systems, json(system)) != systems->end();
}

std::string text_in(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

void read_shutdown(const std::string& name, const json& shutdown, Service& service) {
  service.shutdown_command = text_in(shutdown, "command");
  const auto number = [&](const char* key, int64_t most, int64_t by_default) {
    const auto found = shutdown.find(key);
    if (found == shutdown.end() || found->is_null()) return by_default;
    if (!found->is_number_integer() || found->get<double>() < 1 ||
        found->get<double>() > static_cast<double>(most))
      fail(ErrorKind::invalid_input, "the manifest's [services] {}: shutdown.{} must be 1 to {}", name, key,
           most);
    return found->get<int64_t>();
  };
  service.shutdown_limit = std::chrono::seconds(number("timeout-seconds", most_seconds, 10));
  service.shutdown_signal = static_cast<int>(number("signal", 31, 15));
}

// Services that wait for each other in a circle, each for the next one and the last for the first; none if
// there is no such circle.
std::vector<std::string> circle_of(const std::map<std::string, Service>& services) {
  std::set<std::string> startable;
  const auto waits = [&](const auto& edge) { return !startable.contains(edge.first); };
  for (bool more = true; more;) {
    more = false;
    for (const auto& [name, service] : services)
      if (!startable.contains(name) && std::ranges::none_of(service.depends_on, waits))
        more = startable.insert(name).second;
  }
  const auto stuck =
      std::ranges::find_if(services, [&](const auto& one) { return !startable.contains(one.first); });
  if (stuck == services.end()) return {};
  // Each that is stuck waits for one that is stuck: this leads into a circle.
  std::vector<std::string> way;
  for (std::string at = stuck->first;;) {
    if (const auto before = std::ranges::find(way, at); before != way.end()) return {before, way.end()};
    way.push_back(at);
    at = std::ranges::find_if(services.at(at).depends_on, waits)->first;
  }
}

[[noreturn]] void refuse_dependency(const PlaceOfDependency& place_of, const std::string& service,
                                    const std::string& other, const std::string& why,
                                    const std::string& advice) {
  throw Error(
      ErrorKind::invalid_input,
      fmt::format("{} [services] {}: {}", place_of ? place_of(service, other) + ":" : "the manifest's",
                  printable(service, 60), why),
      advice);
}

void refuse_circle(const std::map<std::string, Service>& services, const PlaceOfDependency& place_of) {
  constexpr size_t most_shown = 10;
  const std::vector<std::string> circle = circle_of(services);
  if (circle.empty()) return;
  std::string names;
  for (size_t i = 0; i < std::min(circle.size(), most_shown); ++i) names += printable(circle[i], 60) + " → ";
  if (circle.size() > most_shown) names += "… → ";
  refuse_dependency(
      place_of, circle.front(), circle[1 % circle.size()],
      fmt::format("it waits for itself by depends-on: {}{}", names, printable(circle.front(), 60)),
      "Take one of them out of the other's depends-on.");
}

Service service_from(const std::string& name, const json& entry) {
  Service service{
      .command = text_in(entry, "command"), .vars = {}, .is_daemon = false, .shutdown_command = {}};
  if (const auto vars = entry.find("vars"); vars != entry.end() && vars->is_object())
    for (const auto& [variable, value] : vars->items())
      if (value.is_string()) service.vars[variable] = value.get<std::string>();
  if (const auto daemon = entry.find("is-daemon"); daemon != entry.end() && daemon->is_boolean())
    service.is_daemon = daemon->get<bool>();
  if (const auto shutdown = entry.find("shutdown"); shutdown != entry.end() && shutdown->is_object())
    read_shutdown(name, *shutdown, service);
  if (const auto others = entry.find("depends-on"); others != entry.end() && others->is_object())
    for (const auto& [other, edge] : others->items()) {
      const auto condition = condition_of(edge.is_object() ? text_in(edge, "condition") : std::string());
      if (!condition)
        fail(ErrorKind::invalid_input, "the manifest's [services] {}: depends-on.{} has no condition", name,
             printable(other, 60));
      service.depends_on.emplace(other, *condition);
    }
  const auto bad =
      std::ranges::find_if(service.vars, [](const auto& v) { return !is_variable(v.first, v.second); });
  if (bad != service.vars.end())
    fail(ErrorKind::invalid_input, "the manifest's [services] {}: '{}' cannot be a variable", name,
         printable(bad->first, 60));
  for (const std::string* command : {&service.command, &service.shutdown_command})
    if (command->find('\0') != std::string::npos)
      fail(ErrorKind::invalid_input, "the manifest's [services] {}: a command has a NUL", name);
  if (service.command.empty())
    fail(ErrorKind::invalid_input, "the manifest's [services] {}: it has no command", name);
  return service;
}

}  // namespace

void check_services(const toml::node& node, const Complain& complain) {
  if (!node.is_table()) complain(node, "[services] must be a table");
  const auto& services = *node.as_table();
  for (const auto& [key, value] : services) {
    const std::string name = fmt::format("[services] {}", printable(key.str(), 60));
    if (key.str() == "auto-start") {
      if (!value.is_boolean()) complain(value, name + " must be true or false");
      continue;
    }
    if (!is_service_name(key.str()))
      complain(value,
               fmt::format("'{}' cannot name a service: at most {} bytes, no slash, no blank at an end",
                           printable(key.str(), 60), max_service_name));
    check_service(value, name, complain);
  }
  if (services.size() > max_services)
    complain(node, fmt::format("[services] has more than {} services", max_services));
}

Services services_from_json(const json& document, std::string_view system,
                            const PlaceOfDependency& place_of) {
  Services services;
  if (!document.is_object()) return services;
  for (const auto& [name, entry] : document.items()) {
    if (name == "auto-start" && entry.is_boolean()) services.auto_start = entry.get<bool>();
    if (!entry.is_object() || !is_for(entry, system)) continue;
    if (!is_service_name(name))
      fail(ErrorKind::invalid_input, "the manifest's [services]: '{}' cannot name a service",
           printable(name, 60));
    services.by_name.emplace(name, service_from(name, entry));
  }
  for (auto& [name, service] : services.by_name) {
    for (const auto& [other, condition] : service.depends_on)
      if (!document.contains(other))
        refuse_dependency(place_of, name, other,
                          fmt::format("it depends on '{}', which is not defined", printable(other, 60)),
                          "Define that service, or take it out of depends-on.");
    std::erase_if(service.depends_on,
                  [&](const auto& edge) { return !services.by_name.contains(edge.first); });
  }
  refuse_circle(services.by_name, place_of);
  if (services.by_name.size() > max_services)
    fail(ErrorKind::invalid_input, "the manifest has more than {} services", max_services);
  return services;
}

std::string to_text(const Services& services) {
  json document = {{"auto-start", services.auto_start}};
  for (const auto& [name, service] : services.by_name) {
    json entry = {{"command", service.command}, {"vars", service.vars}, {"is-daemon", service.is_daemon}};
    const Service usual;
    if (!service.shutdown_command.empty()) entry["shutdown"]["command"] = service.shutdown_command;
    if (service.shutdown_signal != usual.shutdown_signal)
      entry["shutdown"]["signal"] = service.shutdown_signal;
    if (service.shutdown_limit != usual.shutdown_limit)
      entry["shutdown"]["timeout-seconds"] = service.shutdown_limit.count();
    for (const auto& [other, condition] : service.depends_on)
      entry["depends-on"][other]["condition"] = conditions.at(static_cast<size_t>(condition));
    document[name] = std::move(entry);
  }
  return document.dump(2) + "\n";
}

Services parse_services(std::string_view text) {
  return services_from_json(
      parse_json(text, "services.json", {.bytes = max_services_file, .depth = 8, .values = 100'000}), {});
}

}  // namespace flox::env
