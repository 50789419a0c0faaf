// Settings for people to read.
#pragma once

#include <span>
#include <string>

#include "base/settings/setting.h"

namespace flox {

// Every setting of the groups that stands in config.toml: its meaning, type, default and variable.
std::string explain_settings(std::span<SettingGroup* const> groups);

// A table in Markdown of the group's settings: what each is called in config.toml, as a variable and as an
// option, as far as any of the group has such a name; its type, default and meaning.
std::string settings_table(const SettingGroup& group);

}  // namespace flox
