// Settings from /etc/flox/config.toml, or the file that FLOX_CONFIG names, and from variables, which override
// it.
#pragma once

#include <span>

#include "base/settings/setting.h"

namespace flox {

inline constexpr const char* config_file = "/etc/flox/config.toml";
inline constexpr const char* config_variable = "FLOX_CONFIG";

// The file, if there is one (a file that is named must be there), then the variables. `groups` are all whose
// keys the file may have. Throws Error(invalid_input) "FILE:LINE:COLUMN: …" for bad TOML, unknown keys and
// ill-typed values, untrusted if the file holds a secret and others may use it; "VARIABLE: …" for a bad value
// of a variable.
void read_settings(std::span<SettingGroup* const> groups);
// The variables only.
void read_variables(std::span<SettingGroup* const> groups);

}  // namespace flox
