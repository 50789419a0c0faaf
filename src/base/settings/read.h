// Settings from /etc/flox/config.toml and the user's own file, or from the one file that FLOX_CONFIG names,
// and from variables, which override them.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <span>

#include "base/settings/setting.h"

namespace flox {

inline constexpr const char* config_file = "/etc/flox/config.toml";
inline constexpr const char* config_variable = "FLOX_CONFIG";

// Whose files are read: a program that people run has its user's, too; a daemon has the machine's alone.
enum class SettingsOf { machine, user };

// $XDG_CONFIG_HOME/flox/config.toml, or below ~/.config; nothing if neither variable says where that is.
std::optional<std::filesystem::path> user_config_file();

// The file that a command which changes settings writes: the one that FLOX_CONFIG names, or the user's.
// Throws Error(invalid_input) if nothing says where that is.
std::filesystem::path written_config_file();

// The files that there are (one that is named must be there), the user's overriding the machine's, then the
// variables. `groups` are all whose keys the files may have. Throws Error(invalid_input) "FILE:LINE:COLUMN:
// …" for bad TOML, unknown keys and ill-typed values, untrusted if a file holds a secret and others may use
// it, or if the user's file is another user's or may be written by everybody; "VARIABLE: …" for a bad value
// of a variable.
void read_settings(std::span<SettingGroup* const> groups, SettingsOf whose = SettingsOf::machine);
// Is told of each value that is read from now on, and the place that it came from: "FILE:LINE:COLUMN" or the
// name of a variable. One observer of the whole program; set it before threads start.
void observe_settings(std::function<void(const Setting& setting, std::string_view place)> observer);
// The setting of a key. Throws Error(invalid_input), with the keys that are near, if there is none.
const Setting& known_setting(std::span<SettingGroup* const> groups, std::string_view key);
// The variables only.
void read_variables(std::span<SettingGroup* const> groups);
// read_settings() and read_variables() read nothing from now on: settings keep what they are declared with.
// For a program that writes its manual (base/command_line/self_description.h); before threads start.
void keep_declared_settings();

}  // namespace flox
