#include "base/settings/write.h"

#include <sys/stat.h>

#include <cerrno>
#include <functional>

#include "base/data/toml.h"
#include "base/data/toml_edit.h"
#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "base/settings/read.h"

namespace flox {
namespace {

constexpr size_t most_written = 1 << 20;  // bytes, as many as are read

TomlNewValue toml_value_of(const Setting& setting, const std::string& value) {
  if (!setting.form.list) return value;
  std::vector<std::string> items;
  size_t at = 0;
  while ((at = value.find_first_not_of(" \t\n", at)) != std::string::npos) {
    const size_t end = std::min(value.find_first_of(" \t\n", at), value.size());
    items.push_back(value.substr(at, end - at));
    at = end;
  }
  return items;
}

void check_change(const Setting& setting, const std::string& value) {
  if (setting.form.secret)
    throw Error(
        ErrorKind::invalid_input,
        fmt::format("{} is a secret, and all of this machine see the arguments of a command", setting.key),
        fmt::format("Write it to a file of its own with mode 600, and set {}_file.", setting.key));
  in_context(setting.key, [&] { setting.set_from_text(value); });
}

}  // namespace

std::string with_settings(std::string_view text, std::span<SettingGroup* const> groups,
                          const std::vector<SettingChange>& changes, std::string_view name) {
  std::string result(text);
  for (const auto& [key, value] : changes) {
    if (!value) {
      result = without_toml_value(result, {key}, name);
      continue;
    }
    const Setting& setting = known_setting(groups, key);
    check_change(setting, *value);
    result = with_toml_value(result, {key}, toml_value_of(setting, *value), name);
  }
  return result;
}

namespace {

// Puts what `change` makes of the text in its place.
void rewrite(const fs::path& file, const std::function<std::string(const std::string& text)>& change) {
  const fs::path place = directory_of(file);
  if (const fs::path parent = directory_of(place); parent != place) fs::create_directories(parent);
  if (::mkdir(place.c_str(), 0700) != 0 && errno != EEXIST) fail_errno(errno, "making {}", place.string());
  const std::string name = file.filename();
  const FileLock lock(place / ("." + name + ".lock"), FileLock::Mode::exclusive);
  const Directory directory(place);
  const auto status = directory.status(name);
  if (status && !S_ISREG(status->st_mode))
    throw Error(ErrorKind::conflict,
                fmt::format("changing {}: it is {}", file.string(),
                            S_ISLNK(status->st_mode) ? "a link" : "not an ordinary file"),
                fmt::format("Name the file itself with {}, or edit it by hand.", config_variable));
  const std::string text = status ? directory.read_file(name, most_written) : "";
  const std::string changed = change(text);
  if (changed == text && status) return;
  directory.write_file(name, changed, status ? status->st_mode & 0777 : 0600);
}

}  // namespace

void change_settings_file(const fs::path& file, std::span<SettingGroup* const> groups,
                          const std::vector<SettingChange>& changes) {
  rewrite(file, [&](const std::string& text) { return with_settings(text, groups, changes, file.string()); });
}

std::vector<std::string> reset_settings_file(const fs::path& file) {
  std::vector<std::string> keys;
  if (!fs::exists(fs::symlink_status(file))) return keys;
  rewrite(file, [&](std::string text) {
    const toml::table table = parse_toml(text, file.string());
    for (const auto& [key, value] : table) {
      keys.emplace_back(key.str());
      text = without_toml_value(text, {keys.back()}, file.string());
    }
    return text;
  });
  return keys;
}

}  // namespace flox
