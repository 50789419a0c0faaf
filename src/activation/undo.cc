#include "activation/undo.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/data/base64url.h"
#include "base/data/json.h"
#include "base/error.h"

namespace flox::activation {
namespace {

using nlohmann::json;

constexpr std::string_view undo_text = "the record of active environments in _FLOX_HOOK_DIFF";
constexpr size_t max_undo = 4 << 20;  // bytes; a variable of a process has 128 KiB

// Of search paths.
bool is_search_list(std::string_view name) { return name.ends_with("PATH") || name.ends_with("_DIRS"); }

std::vector<std::string_view> list_entries(std::string_view list) {
  std::vector<std::string_view> entries;
  for (size_t at = 0; at <= list.size();) {
    const size_t end = std::min(list.find(':', at), list.size());
    entries.push_back(list.substr(at, end - at));
    at = end + 1;
  }
  return entries;
}

std::string without(std::string_view list, std::string_view others) {
  const auto gone = list_entries(others);
  std::string result;
  bool first = true;
  for (const std::string_view entry : list_entries(list)) {
    if (!entry.empty() && std::ranges::find(gone, entry) != gone.end()) continue;
    result += fmt::format("{}{}", first ? "" : ":", entry);
    first = false;
  }
  return result;
}

}  // namespace

Undo undo_of(const env::Variables& before, const env::Variables& after) {
  Undo undo;
  undo.back = changes_between(after, before);
  for (const auto& [name, value] : after) {
    const std::string old = env::value_of(before, name);
    if (is_search_list(name) && value != old)
      if (std::string added = without(value, old); !added.empty()) undo.added.emplace(name, std::move(added));
  }
  return undo;
}

std::string to_text(const std::vector<Undo>& layers) {
  json list = json::array();
  for (const Undo& undo : layers)
    list.push_back({{"name", to_base64url(undo.name)},
                    {"profile", undo.profile},
                    {"mode", undo.mode},
                    {"keeper", to_base64url(undo.keeper)},
                    {"subshell", undo.subshell},
                    {"automatic", undo.automatic},
                    {"project", to_base64url(undo.project)},
                    {"set", packed(undo.back.set)},
                    {"unset", packed(undo.back.unset)},
                    {"added", packed(undo.added)}});
  return list.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::vector<Undo> parse_undo(std::string_view text) {
  const json list = parse_json(text, undo_text, {.bytes = max_undo, .depth = 8, .values = 10'000});
  if (!list.is_array()) fail(ErrorKind::invalid_input, "{} is no list", undo_text);
  std::vector<Undo> layers;
  for (const json& entry : list) {
    if (!entry.is_object()) fail(ErrorKind::invalid_input, "{}: an entry is no object", undo_text);
    auto flag = [&](const char* key) {
      const auto found = entry.find(key);
      return found != entry.end() && found->is_boolean() && found->get<bool>();
    };
    layers.push_back({.name = from_base64url(string_member(entry, "name", undo_text)),
                      .profile = string_member(entry, "profile", undo_text),
                      .mode = string_member(entry, "mode", undo_text),
                      .keeper = from_base64url(string_member(entry, "keeper", undo_text)),
                      .subshell = flag("subshell"),
                      .automatic = flag("automatic"),
                      .project = from_base64url(optional_string(entry, "project", undo_text)),
                      .back = {.set = parse_packed_variables(string_member(entry, "set", undo_text)),
                               .unset = parse_packed_names(string_member(entry, "unset", undo_text))},
                      .added = parse_packed_variables(string_member(entry, "added", undo_text))});
  }
  return layers;
}

std::vector<Undo> active_layers(const env::Variables& variables) {
  const auto record = variables.find(undo_variable);
  return record == variables.end() ? std::vector<Undo>() : parse_undo(record->second);
}

std::string undo_script(Shell shell, const Undo& undo, const env::Variables& now) {
  std::string text;
  auto others_left = [&](const std::string& name) {
    return undo.added.contains(name) ? without(env::value_of(now, name), undo.added.at(name)) : std::string();
  };
  for (const std::string& name : undo.back.unset) {
    if (!is_identifier(name)) continue;
    const std::string left = others_left(name);
    // An empty entry stands for the default and was added with the others.
    const bool empty = std::ranges::all_of(left, [](char c) { return c == ':'; });
    text += empty ? unset(shell, name) : exported(shell, name, left);
  }
  for (const auto& [name, before] : undo.back.set) {
    if (!is_identifier(name)) continue;
    const std::string left = others_left(name);
    text += exported(shell, name, left.empty() ? before : left);
  }
  return text;
}

}  // namespace flox::activation
