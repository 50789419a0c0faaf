#include "cli/say.h"

#include <map>
#include <memory>

#include "base/log.h"
#include "base/settings/read.h"
#include "cli/shown_setting.h"

namespace flox::cli {
namespace {

Verbosity chosen = Verbosity::normal;

// Each place once: the settings are read by whoever needs them.
void show_settings() {
  auto shown = std::make_shared<std::map<std::string, std::string>>();
  observe_settings([shown](const Setting& setting, std::string_view place) {
    if (std::exchange((*shown)[setting.name()], std::string(place)) != place)
      log::debug("setting {} = {}, from {}", setting.name(), shown_setting(setting).dump(), place);
  });
}

void choose(Verbosity wanted) {
  chosen = wanted;
  if (wanted == Verbosity::quiet) log::set_level(log::Level::error);
  if (wanted >= Verbosity::verbose) log::set_level(log::Level::debug);
  if (wanted == Verbosity::debug) show_settings();
}

// Flags that a command has already are its own.
void add_flags(CLI::App& command, bool shown) {
  const auto add = [&](const std::vector<std::string>& names, Verbosity wanted, const char* help) {
    std::string free;
    for (const std::string& name : names)
      if (command.get_option_no_throw(name) == nullptr) free += (free.empty() ? "" : ",") + name;
    if (free.empty()) return;
    auto* flag = command.add_flag_callback(
        free, [wanted] { choose(wanted); }, help);
    if (!shown) flag->group("");
  };
  add({"-q", "--quiet"}, Verbosity::quiet, "say nothing but results and errors; also behind any command");
  add({"-v", "--verbose"}, Verbosity::verbose, "say what is done; also behind any command");
  add({"--debug"}, Verbosity::debug, "say where each setting comes from, too; also behind any command");
}

void add_to_commands(CLI::App& command) {
  for (CLI::App* child : command.get_subcommands([](const CLI::App*) { return true; })) {
    if (child->get_prefix_command()) continue;  // another program's command line
    add_flags(*child, false);
    add_to_commands(*child);
  }
}

}  // namespace

Verbosity verbosity() noexcept { return chosen; }

void add_verbosity(CLI::App& app) {
  add_flags(app, true);
  add_to_commands(app);
}

}  // namespace flox::cli
