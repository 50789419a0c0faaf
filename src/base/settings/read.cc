#include "base/settings/read.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/data/toml.h"
#include "base/error.h"
#include "base/nearest.h"
#include "base/os/file.h"
#include "base/os/private_directory.h"
#include "base/printable.h"

namespace flox {
namespace {

namespace fs = std::filesystem;

constexpr size_t max_file = 1 << 20;  // bytes

std::function<void(const Setting&, std::string_view)>& settings_observer() {
  static std::function<void(const Setting&, std::string_view)> observer;
  return observer;
}
void tell(const Setting& setting, std::string_view place) {
  if (settings_observer()) settings_observer()(setting, place);
}

bool& reads_nothing() {
  static bool nothing = false;
  return nothing;
}

const Setting* find(std::span<SettingGroup* const> groups, std::string_view key) {
  for (const SettingGroup* group : groups)
    for (const Setting& setting : group->settings())
      if (!key.empty() && setting.key == key) return &setting;
  return nullptr;
}

std::string advice_for_unknown(std::span<SettingGroup* const> groups, std::string_view key) {
  std::vector<std::string> keys;
  for (const SettingGroup* group : groups)
    for (const Setting& setting : group->settings())
      if (!setting.key.empty()) keys.push_back(setting.key);
  const std::vector<std::string> nearest = nearest_names(key, keys);
  const std::string list = "Run 'flox config --explain' to see all keys.";
  return nearest.empty() ? list : fmt::format("Did you mean {}? {}", fmt::join(nearest, " or "), list);
}

// A TOML value as the texts that Setting::set takes. A number and a truth value need not be written as texts
// where the setting is one; anywhere else, as in `root = 5`, they are a mistake.
std::vector<std::string> texts_of(const Setting& setting, const toml::node& node) {
  const SettingForm& form = setting.form;
  if (const auto* text = node.as_string()) {
    if (!form.list) return {text->get()};
  } else if (const auto* number = node.as_integer(); number != nullptr && form.number) {
    return {std::to_string(number->get())};
  } else if (const auto* truth = node.as_boolean(); truth != nullptr && form.truth) {
    return {truth->get() ? "true" : "false"};
  }
  if (const auto* list = node.as_array(); list != nullptr && form.list) {
    std::vector<std::string> texts;
    for (const auto& item : *list) {
      if (!item.is_string()) fail(ErrorKind::invalid_input, "a list of strings is needed");
      texts.push_back(item.as_string()->get());
    }
    return texts;
  }
  fail(ErrorKind::invalid_input, "{} is needed",
       form.number  ? "a string or a whole number"
       : form.truth ? "true or false"
       : form.list  ? "a string or a list of strings"
                    : "a string");
}

void set_from_file(const Setting& setting, const toml::node& node) {
  if (setting.form.list && node.is_string())
    setting.set_from_text(node.as_string()->get());
  else
    setting.set(texts_of(setting, node));
}

// A file that holds a secret is a file of secrets.
void check_private(const fs::path& path, const Setting& secret) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) fail_errno(errno, "examining {}", path.string());
  if ((status.st_mode & 077) != 0)
    throw Error(
        ErrorKind::untrusted,
        fmt::format("{} holds {}, and others than its owner may use it (mode {:04o})", path.string(),
                    secret.key, status.st_mode & 07777),
        fmt::format("Write it to a file of its own, with mode 600, and name that with {}_file.", secret.key));
}

void read_file_of_settings(std::span<SettingGroup* const> groups, const fs::path& path) {
  const toml::table table = parse_toml(read_file(path, max_file), path.string());
  for (const auto& [key, node] : table) {
    const toml::source_position& at = node.source().begin;
    const std::string place = fmt::format("{}:{}:{}", path.string(), at.line, at.column);
    const Setting* setting = find(groups, key.str());
    if (setting == nullptr)
      throw Error(ErrorKind::invalid_input, fmt::format("{}: unknown key '{}'", place, key.str()),
                  advice_for_unknown(groups, key.str()));
    if (setting->form.secret) check_private(path, *setting);
    in_context(fmt::format("{}: {}", place, setting->key), [&] { set_from_file(*setting, node); });
    tell(*setting, place);
  }
}

// Whoever could write it would say what this user trusts. HOME may be another user's: of sudo, for example.
void check_own(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) fail_errno(errno, "examining {}", path.string());
  const char* why = status.st_uid != ::geteuid() && status.st_uid != 0 ? "belongs to another user"
                    : (status.st_mode & S_IWOTH) != 0                  ? "can be written to by everybody"
                                                                       : nullptr;
  if (why != nullptr)
    throw Error(
        ErrorKind::untrusted, fmt::format("reading the settings: {} {}", path.string(), why),
        fmt::format("Make it yours alone, or name the file to read instead with {}.", config_variable));
}

}  // namespace

std::optional<fs::path> user_config_file() {
  const auto directory = user_directory("XDG_CONFIG_HOME", ".config");
  return directory ? std::optional(*directory / "config.toml") : std::nullopt;
}

void observe_settings(std::function<void(const Setting&, std::string_view)> observer) {
  settings_observer() = std::move(observer);
}

fs::path written_config_file() {
  if (const char* named = std::getenv(config_variable); named != nullptr) return named;
  if (const auto own = user_config_file()) return *own;
  throw Error(ErrorKind::invalid_input, "neither XDG_CONFIG_HOME nor HOME says where your settings are",
              fmt::format("Set HOME, or name a file with {}.", config_variable));
}

const Setting& known_setting(std::span<SettingGroup* const> groups, std::string_view key) {
  if (const Setting* setting = find(groups, key)) return *setting;
  throw Error(ErrorKind::invalid_input, fmt::format("there is no setting '{}'", printable(key, 100)),
              advice_for_unknown(groups, key));
}

void keep_declared_settings() { reads_nothing() = true; }

void read_settings(std::span<SettingGroup* const> groups, SettingsOf whose) {
  if (reads_nothing()) return;
  std::error_code none;  // what cannot be looked at is not there for this user
  if (const char* named = std::getenv(config_variable); named != nullptr) {
    read_file_of_settings(groups, named);
  } else {
    if (fs::exists(config_file, none)) read_file_of_settings(groups, config_file);
    if (const auto own = user_config_file(); whose == SettingsOf::user && own && fs::exists(*own, none)) {
      check_own(*own);
      read_file_of_settings(groups, *own);
    }
  }
  read_variables(groups);
}

void read_variables(std::span<SettingGroup* const> groups) {
  if (reads_nothing()) return;
  for (const SettingGroup* group : groups)
    for (const Setting& setting : group->settings()) {
      const char* value = setting.variable.empty() ? nullptr : std::getenv(setting.variable.c_str());
      if (value == nullptr) continue;
      in_context(setting.variable, [&] { setting.set_from_text(value); });
      tell(setting, setting.variable);
    }
}

}  // namespace flox
