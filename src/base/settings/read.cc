#include "base/settings/read.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>

#include "base/data/toml.h"
#include "base/error.h"
#include "base/nearest.h"
#include "base/os/file.h"

namespace flox {
namespace {

namespace fs = std::filesystem;

constexpr size_t max_file = 1 << 20;  // bytes

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
  }
}

}  // namespace

void read_settings(std::span<SettingGroup* const> groups) {
  const char* named = std::getenv(config_variable);
  const fs::path path = named != nullptr ? named : config_file;
  if (named != nullptr || fs::exists(path)) read_file_of_settings(groups, path);
  read_variables(groups);
}

void read_variables(std::span<SettingGroup* const> groups) {
  for (const SettingGroup* group : groups)
    for (const Setting& setting : group->settings()) {
      const char* value = setting.variable.empty() ? nullptr : std::getenv(setting.variable.c_str());
      if (value != nullptr) in_context(setting.variable, [&] { setting.set_from_text(value); });
    }
}

}  // namespace flox
