// flox config: the settings in force, and what each means.
#include "node/floxd/config.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <span>

#include "base/net/url.h"
#include "base/settings/explain.h"
#include "cli/commands.h"

namespace flox::cli {
namespace {

struct ConfigOptions {
  bool explain = false;
  bool json = false;
};

// Passwords in URLs are not shown.
nlohmann::ordered_json shown(const Setting& setting) {
  SettingValue value = setting.value();
  if (setting.is_url) {
    if (auto* url = std::get_if<std::string>(&value)) *url = hide_login(*url);
    if (auto* urls = std::get_if<std::vector<std::string>>(&value))
      for (std::string& url : *urls) url = hide_login(url);
  }
  return std::visit([](const auto& known) { return nlohmann::ordered_json(known); }, value);
}

void print(std::span<SettingGroup* const> groups, bool as_json) {
  nlohmann::ordered_json values = nlohmann::ordered_json::object();
  for (const SettingGroup* group : groups)
    for (const Setting& setting : group->settings()) values[setting.key] = shown(setting);
  if (as_json) {
    fmt::print("{}\n", values.dump(2));
    return;
  }
  for (const auto& [key, value] : values.items())
    fmt::print("{:<24} {}\n", key, value.is_string() ? value.get<std::string>() : value.dump());
}

}  // namespace

void add_config(CLI::App& app) {
  auto* command = app.add_subcommand("config", "Show the settings in force, or explain every setting");
  command->footer("Examples:\n  flox config\n  flox config --explain | less");
  auto options = std::make_shared<ConfigOptions>();
  auto* explain =
      command->add_flag("--explain", options->explain, "every setting: meaning, type, default, variable");
  command->add_flag("--json", options->json, "print JSON")->excludes(explain);
  command->callback([options] {
    if (options->explain)
      fmt::print("{}", explain_settings(Config().groups()));
    else
      print(Config::load().groups(), options->json);
  });
}

}  // namespace flox::cli
