#include "env/lock_difference.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/printable.h"

namespace flox::env {
namespace {

using nlohmann::json;
using PackagesBySystem = std::map<std::string, const LockedPackage*>;

std::map<std::string, PackagesBySystem> packages_by_id(const Lockfile& lock) {
  std::map<std::string, PackagesBySystem> result;
  for (const LockedPackage& package : lock.packages) result[package.install_id][package.system] = &package;
  return result;
}

std::string version_for_people(const LockedPackage& package) {
  return package.version.empty() ? "without a version" : package.version;
}

std::string change_of(const LockedPackage* before, const LockedPackage* after) {
  if (before == nullptr) return "+ " + after->install_id + " " + version_for_people(*after);
  if (after == nullptr) return "- " + before->install_id + " " + version_for_people(*before);
  if (before->outputs != after->outputs || before->version != after->version)
    return fmt::format("~ {} {}", after->install_id,
                       before->version == after->version
                           ? version_for_people(*after) + " (another build)"
                           : version_for_people(*before) + " -> " + version_for_people(*after));
  if (before->priority != after->priority)
    return fmt::format("~ {} priority {} -> {}", after->install_id, before->priority, after->priority);
  return {};
}

// The same change for several systems is one line, which names them unless they are all.
void add_package_changes(const PackagesBySystem& before, const PackagesBySystem& after,
                         std::vector<std::string>& lines) {
  std::set<std::string> systems;
  for (const auto& [system, package] : before) systems.insert(system);
  for (const auto& [system, package] : after) systems.insert(system);
  std::map<std::string, std::vector<std::string>> by_change;
  for (const std::string& system : systems) {
    const auto old = before.find(system);
    const auto now = after.find(system);
    const std::string change =
        change_of(old == before.end() ? nullptr : old->second, now == after.end() ? nullptr : now->second);
    if (!change.empty()) by_change[change].push_back(system);
  }
  for (const auto& [change, of] : by_change)
    lines.push_back(printable(
        of.size() == systems.size() ? change : fmt::format("{} on {}", change, fmt::join(of, ", "))));
}

// Tables whose entries people think of; what differs in others is named by the table.
constexpr std::array<std::string_view, 4> tables_of_entries = {"install", "vars", "services", "build"};

void add_entry_changes(const std::string& table, const json& before, const json& after,
                       const std::set<std::string>& said, std::vector<std::string>& lines) {
  std::set<std::string> names;
  for (const json* side : {&before, &after})
    if (side->is_object())
      for (const auto& [name, entry] : side->items()) names.insert(name);
  for (const std::string& name : names) {
    const bool was = before.is_object() && before.contains(name);
    const bool is = after.is_object() && after.contains(name);
    if ((was && is && before[name] == after[name]) || said.contains(name)) continue;
    lines.push_back(printable(fmt::format("{} [{}] {}", !was ? '+' : !is ? '-' : '~', table, name)));
  }
}

json table_or_null(const json& manifest, const std::string& name) {
  const auto found = manifest.find(name);
  return found == manifest.end() || (found->is_structured() && found->empty()) ? json() : *found;
}

}  // namespace

std::vector<std::string> lock_differences(const Lockfile& before, const Lockfile& after) {
  std::vector<std::string> lines;
  auto old = packages_by_id(before);
  auto now = packages_by_id(after);
  std::set<std::string> ids, tables;
  for (const auto* side : {&old, &now})
    for (const auto& [id, packages] : *side) ids.insert(id);
  std::set<std::string> changed;
  for (const std::string& id : ids) {
    const size_t count = lines.size();
    add_package_changes(old[id], now[id], lines);
    if (lines.size() > count) changed.insert(id);
  }
  for (const Lockfile* side : {&before, &after})
    if (side->manifest.is_object())
      for (const auto& [table, value] : side->manifest.items()) tables.insert(table);
  for (const std::string& table : tables) {
    const json was = table_or_null(before.manifest, table), is = table_or_null(after.manifest, table);
    if (was == is) continue;
    if (std::ranges::find(tables_of_entries, table) != tables_of_entries.end())
      add_entry_changes(table, was, is, table == "install" ? changed : std::set<std::string>(), lines);
    else
      lines.push_back(printable(fmt::format("~ [{}]", table)));
  }
  return lines;
}

}  // namespace flox::env
