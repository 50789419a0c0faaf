#include "env/lock_text.h"

#include <algorithm>
#include <map>
#include <vector>

#include "base/error.h"

namespace flox::env {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

// `value` with the members of objects in the order of `model`, those that it does not have behind them.
// Elements of lists have the element of the same place as their model. Recurses once per level of the value.
ordered_json in_order_of(const ordered_json* model, const json& value) {
  if (value.is_array()) {
    ordered_json list = ordered_json::array();
    const bool has_models = model != nullptr && model->is_array();
    for (size_t i = 0; i < value.size(); ++i)
      list.push_back(in_order_of(has_models && i < model->size() ? &(*model)[i] : nullptr, value[i]));
    return list;
  }
  if (!value.is_object()) return value;
  ordered_json object = ordered_json::object();
  std::map<std::string_view, const ordered_json*> models;
  if (model != nullptr && model->is_object())
    for (const auto& [key, member] : model->items())
      if (const auto it = value.find(key); it != value.end()) {
        models[it.key()] = &member;
        object.push_back({it.key(), in_order_of(&member, *it)});
      }
  for (const auto& [key, member] : value.items())
    if (!models.contains(key)) object.push_back({key, in_order_of(nullptr, member)});
  return object;
}

using PackageKey = std::pair<std::string, std::string>;  // install id, system

PackageKey key_of(const ordered_json& package) {
  auto text = [&](const char* name) {
    const auto it = package.find(name);
    return it != package.end() && it->is_string() ? it->get<std::string>() : std::string();
  };
  return {text("install_id"), text("system")};
}

// As many spaces (or the tab) as the first member is indented by; -1 for a text of one line.
struct Layout {
  int indent = 2;
  char with = ' ';
  std::string end = "\n";
};

Layout layout_of(std::string_view text) {
  Layout layout;
  const size_t last = text.find_last_not_of(" \t\r\n");
  layout.end = text.substr(last + 1);
  const size_t line = text.find('\n');
  if (line == std::string_view::npos || line > last) {
    layout.indent = -1;
    return layout;
  }
  const size_t member = std::min(text.find_first_not_of(" \t", line + 1), text.size());
  layout.indent = static_cast<int>(std::min<size_t>(member - line - 1, 16));
  if (layout.indent > 0) layout.with = text[line + 1];
  return layout;
}

}  // namespace

std::string lock_text(const Lockfile& lock, std::string_view old_text) {
  ordered_json old;
  try {
    old = parse_ordered_json(old_text, "the old lock", Lockfile::file_limits);
  } catch (const Error&) {  // gone, or damaged: then there is no order to keep
    return lock.to_string();
  }
  if (!old.is_object()) return lock.to_string();
  json rest = lock.other;
  rest["lockfile-version"] = 1;
  rest["manifest"] = lock.manifest;
  rest["packages"] = json::array();
  ordered_json document = in_order_of(&old, rest);

  std::map<PackageKey, const ordered_json*> models;
  if (const auto packages = old.find("packages"); packages != old.end() && packages->is_array())
    for (const auto& package : *packages)
      if (package.is_object()) models.emplace(key_of(package), &package);
  // A new package looks as the others do.
  const ordered_json* const any = models.empty() ? nullptr : models.begin()->second;
  ordered_json packages = ordered_json::array();
  for (const LockedPackage& package : lock.packages) {
    const auto model = models.find({package.install_id, package.json.value("system", "")});
    packages.push_back(in_order_of(model == models.end() ? any : model->second, package.json));
  }
  document["packages"] = std::move(packages);
  const Layout layout = layout_of(old_text);
  return document.dump(layout.indent, layout.with) + layout.end;
}

}  // namespace flox::env
