// Settings as options of a command line.
#pragma once

#include "base/settings/setting.h"

namespace CLI {
class App;
}

namespace flox {

// Adds an option for each of the group's settings that has one; what the setting is now is shown as the
// default. The group must outlive the parsing, which throws ExitError(exit_usage) "OPTION: …" for a bad
// value.
void add_setting_options(CLI::App& app, const SettingGroup& group);

}  // namespace flox
