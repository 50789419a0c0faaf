#include "base/settings/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "base/command_line/program.h"

namespace flox {
namespace {

std::string in_capitals(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return text;
}

// A bad value is a fault of the command line.
void set(const Setting& setting, const std::vector<std::string>& texts) {
  try {
    in_context(setting.option, [&] { setting.set(texts); });
  } catch (const Error& error) {
    throw ExitError(exit_usage, error);
  }
}

}  // namespace

void add_setting_options(CLI::App& app, const SettingGroup& group) {
  for (const Setting& setting : group.settings()) {
    if (setting.option.empty()) continue;
    CLI::Option* option = nullptr;
    if (setting.form.list)
      option = app.add_option_function<std::vector<std::string>>(
          setting.option, [&setting](const std::vector<std::string>& texts) { set(setting, texts); },
          setting.help);
    else
      option = app.add_option_function<std::string>(
          setting.option, [&setting](const std::string& text) { set(setting, {text}); }, setting.help);
    // "size or share" is a SIZE in a help.
    const std::string type = setting.type.substr(0, setting.type.find(" or "));
    option->type_name(setting.form.list ? "TEXT" : in_capitals(type));
    if (const std::string now = setting.text(); !now.empty()) option->default_str(now);
  }
}

}  // namespace flox
