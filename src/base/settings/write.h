// Changing a file of settings that people write, too: its comments and its order stay.
#pragma once  // Not fuzzed: the texts are read by base/data/toml.h and changed by toml_edit.h.

#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "base/settings/setting.h"

namespace flox {

// A key and its new value as one text, as a variable has it; without one the key is taken out.
struct SettingChange {
  std::string key;
  std::optional<std::string> value;
};

// The text of a file of settings with the changes. `groups` are all whose keys it may have; their members
// take the new values. Throws Error: invalid_input for an unknown key, a value that its setting does not
// take, a secret (whose place is a file of its own) or a text that is no TOML; not_found for a key to take
// out that is not there.
std::string with_settings(std::string_view text, std::span<SettingGroup* const> groups,
                          const std::vector<SettingChange>& changes, std::string_view name);

// The same with a file, which is made with mode 0600 if it is missing, and its directory with 0700. It
// changes as a whole or not at all, under a lock. Throws Error, too, if the file is a link or cannot be
// written.
void change_settings_file(const std::filesystem::path& file, std::span<SettingGroup* const> groups,
                          const std::vector<SettingChange>& changes);

// Takes out all that the file sets, the same way; gives the keys. A file that is missing stays so.
std::vector<std::string> reset_settings_file(const std::filesystem::path& file);

}  // namespace flox
