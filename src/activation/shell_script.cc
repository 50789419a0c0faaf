#include "activation/shell_script.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "activation/changes.h"

namespace flox::activation {
namespace {

std::vector<std::string_view> entries_of(std::string_view list) {
  std::vector<std::string_view> entries;
  while (!list.empty()) {
    entries.push_back(list.substr(0, list.find(':')));
    list.remove_prefix(std::min(entries.back().size() + 1, list.size()));
  }
  return entries;
}

// The entries that the activation has put in front of the list.
std::string added_in_front(const env::Variables& before, const env::Variables& after,
                           const std::string& name) {
  const auto old = before.find(name), now = after.find(name);
  if (now == after.end()) return {};
  const auto known = entries_of(old == before.end() ? std::string_view() : std::string_view(old->second));
  std::string front;
  for (const std::string_view entry : entries_of(now->second)) {
    if (entry.empty() || std::ranges::find(known, entry) != known.end()) break;
    front += fmt::format("{}{}", front.empty() ? "" : ":", entry);
  }
  return front;
}

std::string scripts_of(Shell shell, const fs::path& profile, std::string_view kind) {
  std::string text;
  for (const std::string_view name : {std::string_view("common"), name_of(shell)}) {
    const std::string file = fmt::format("activate.d/{}-{}", kind, name);
    if (env::profile_has(profile, file)) text += sourced(shell, profile / file);
  }
  return text;
}

bool is_list(std::string_view name) { return name == "PATH" || name == "MANPATH"; }

// Sets and unsets what differs, the lists only if they are wanted.
std::string setting_variables(const ShellScript& script, bool with_lists) {
  const Changes changes = changes_between(script.before, script.after);
  std::string text;
  for (const auto& name : changes.unset)
    if (is_identifier(name)) text += unset(script.shell, name);
  for (const auto& [name, value] : changes.set)
    if (is_identifier(name) && (with_lists || !is_list(name))) text += exported(script.shell, name, value);
  return text;
}

}  // namespace

std::string profile_scripts(Shell shell, const fs::path& profile) {
  return scripts_of(shell, profile, "profile");
}
std::string deactivate_scripts(Shell shell, const fs::path& profile) {
  return scripts_of(shell, profile, "deactivate-profile");
}

std::string in_place(const ShellScript& script) {
  return setting_variables(script, true) + profile_scripts(script.shell, script.profile);
}

std::string after_own_files(const ShellScript& script) {
  std::string text = setting_variables(script, false);
  for (const char* name : {"PATH", "MANPATH"})
    if (const std::string front = added_in_front(script.before, script.after, name); !front.empty())
      text += put_in_front(script.shell, name, front);
  return text + profile_scripts(script.shell, script.profile);
}

}  // namespace flox::activation
