#include "base/settings/explain.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/settings/read.h"

namespace flox {
namespace {

std::string default_of(const Setting& setting) {
  return setting.fallback.empty() ? "none" : setting.fallback;
}

std::string code(const std::string& text) { return text.empty() ? "" : "`" + text + "`"; }

}  // namespace

std::string explain_settings(std::span<SettingGroup* const> groups) {
  std::string text = fmt::format(
      "Settings stand in {}, and a user's own in ~/.config/flox/config.toml, which overrides it; or "
      "in the one\nfile that {} names. A variable overrides the files.\n",
      config_file, config_variable);
  for (const SettingGroup* group : groups) {
    text += fmt::format("\n{}\n", group->title());
    for (const Setting& setting : group->settings())
      if (!setting.key.empty())
        text += fmt::format("  {:<24} {}\n  {:<24} type: {}; default: {}; variable: {}\n", setting.key,
                            setting.help, "", setting.type + setting.range, default_of(setting),
                            setting.variable);
  }
  return text;
}

std::string settings_table(const SettingGroup& group) {
  const auto any = [&](std::string Setting::*name) {
    return std::ranges::any_of(group.settings(),
                               [&](const Setting& setting) { return !(setting.*name).empty(); });
  };
  struct Column {
    const char* title;
    std::function<std::string(const Setting&)> cell;
  };
  std::vector<Column> columns;
  if (any(&Setting::key)) columns.push_back({"key", [](const Setting& s) { return code(s.key); }});
  if (any(&Setting::variable))
    columns.push_back({"variable", [](const Setting& s) { return code(s.variable); }});
  if (any(&Setting::option)) columns.push_back({"option", [](const Setting& s) { return code(s.option); }});
  columns.push_back({"type", [](const Setting& s) { return s.type + s.range; }});
  columns.push_back({"default", [](const Setting& s) { return code(s.fallback); }});
  columns.push_back({"meaning", [](const Setting& s) { return s.help; }});

  std::string text = "|", line = "|";
  for (const Column& column : columns) {
    text += fmt::format(" {} |", column.title);
    line += "---|";
  }
  text += "\n" + line + "\n";
  for (const Setting& setting : group.settings()) {
    text += "|";
    for (const Column& column : columns) text += fmt::format(" {} |", column.cell(setting));
    text += "\n";
  }
  return text;
}

}  // namespace flox
