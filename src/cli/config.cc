// flox config: the settings in force, and what each means.
#include "node/floxd/config.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <ranges>
#include <span>

#include "base/settings/explain.h"
#include "base/settings/read.h"
#include "base/settings/write.h"
#include "cli/commands.h"
#include "cli/say.h"
#include "cli/shown_setting.h"

namespace flox::cli {
namespace {

struct ConfigOptions {
  std::vector<std::pair<std::string, std::string>> set;
  std::vector<std::string> unset;
  bool explain = false, list = false, reset = false;
  bool json = false;
};

void print(std::span<SettingGroup* const> groups, bool as_json) {
  nlohmann::ordered_json values = nlohmann::ordered_json::object();
  for (const SettingGroup* group : groups)
    for (const Setting& setting : group->settings()) values[setting.key] = shown_setting(setting);
  if (as_json) {
    fmt::print("{}\n", values.dump(2));
    return;
  }
  for (const auto& [key, value] : values.items())
    fmt::print("{:<24} {}\n", key, value.is_string() ? value.get<std::string>() : value.dump());
}

void change(const ConfigOptions& options) {
  std::vector<SettingChange> changes;
  for (const auto& [key, value] : options.set) changes.push_back({key, value});
  for (const std::string& key : options.unset) changes.push_back({key, std::nullopt});
  const std::filesystem::path file = written_config_file();
  Config config;
  change_settings_file(file, config.groups(), changes);
  say("✔ {} {} of {}\n", file.string(), changes.size() == 1 ? "has another value" : "has other values",
      fmt::join(std::views::transform(changes, &SettingChange::key), ", "));
}

void reset() {
  const std::filesystem::path file = written_config_file();
  const std::vector<std::string> keys = reset_settings_file(file);
  if (keys.empty())
    say("ℹ {} sets nothing\n", file.string());
  else
    say("✔ {} does not set {} any more\n", file.string(), fmt::join(keys, ", "));
}

}  // namespace

void add_config(CLI::App& app) {
  auto* command = app.add_subcommand("config", "Show the settings in force, explain or change them");
  command->footer(
      "Examples:\n  flox config\n  flox config --explain | less\n"
      "  flox config --set catalog_url https://catalog.example.org\n\n"
      "It changes ~/.config/flox/config.toml, or the file that FLOX_CONFIG names. A list is written with "
      "spaces\n"
      "between its items.");
  auto options = std::make_shared<ConfigOptions>();
  auto* explain =
      command->add_flag("--explain", options->explain, "every setting: meaning, type, default, variable");
  auto* json = command->add_flag("--json", options->json, "print JSON")->excludes(explain);
  auto* set = command->add_option("--set", options->set, "give a setting a value; repeatable")
                  ->type_name("KEY VALUE")
                  ->excludes(explain)
                  ->excludes(json);
  auto* unset =
      command->add_option("--unset,--delete", options->unset, "take a setting out of the file; repeatable")
          ->type_name("KEY")
          ->allow_extra_args(false)
          ->excludes(explain)
          ->excludes(json);
  set->allow_extra_args(false);
  command->add_flag("-l,--list", options->list, "show them: as without options")->excludes(explain);
  command->add_flag("-r,--reset", options->reset, "take all settings out of the file, without asking")
      ->excludes(explain)
      ->excludes(json)
      ->excludes(set)
      ->excludes(unset);
  command->callback([options] {
    if (options->reset) return reset();
    if (!options->set.empty() || !options->unset.empty()) return change(*options);
    if (options->explain)
      fmt::print("{}", explain_settings(Config().groups()));
    else
      print(Config::load().groups(), options->json);
  });
}

}  // namespace flox::cli
