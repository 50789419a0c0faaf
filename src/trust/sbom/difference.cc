#include "trust/sbom/difference.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/settings/units.h"

namespace flox::trust {
namespace {

using nlohmann::json;
using ByName = std::map<std::string, std::vector<const Component*>>;

// The components that the other bill does not have, by name.
ByName only_in(const Bill& bill, const Bill& other) {
  nix::StorePathSet paths;
  for (const Component& component : other.components) paths.insert(component.path);
  ByName result;
  for (const Component& component : bill.components)
    if (!paths.contains(component.path)) result[component.package.name].push_back(&component);
  for (auto& [name, components] : result)
    std::ranges::stable_sort(components, {}, [](const Component* one) { return one->package.version; });
  return result;
}

// Takes the components of equal versions out of both lists, then the others in order.
void pair_up(std::vector<const Component*> before, std::vector<const Component*> after,
             BillDifference& result) {
  std::erase_if(before, [&](const Component* old) {
    const auto same = std::ranges::find_if(
        after, [&](const Component* fresh) { return fresh->package.version == old->package.version; });
    if (same == after.end()) return false;
    result.rebuilt.push_back({*old, **same});
    after.erase(same);
    return true;
  });
  const size_t pairs = std::min(before.size(), after.size());
  for (size_t i = 0; i < pairs; ++i) result.changed.push_back({*before[i], *after[i]});
  for (size_t i = pairs; i < before.size(); ++i) result.removed.push_back(*before[i]);
  for (size_t i = pairs; i < after.size(); ++i) result.added.push_back(*after[i]);
}

std::string signed_size(uint64_t before, uint64_t after) {
  return after >= before ? "+" + size_text(after - before) : "-" + size_text(before - after);
}

std::string titled(const PackageEntry& package) {
  return package.version.empty() ? package.name : package.name + " " + package.version;
}

json to_json(const Component& component) {
  return {{"name", component.package.name},
          {"version", component.package.version},
          {"path", component.path.to_string()},
          {"narSize", component.nar_size}};
}

json to_json(const std::vector<Component>& components) {
  json list = json::array();
  for (const Component& component : components) list.push_back(to_json(component));
  return list;
}

json to_json(const std::vector<BillDifference::Change>& changes) {
  json list = json::array();
  for (const auto& [before, after] : changes)
    list.push_back({{"name", after.package.name}, {"before", to_json(before)}, {"after", to_json(after)}});
  return list;
}

void print(std::string& text, const char* title, char mark, const std::vector<Component>& components) {
  if (components.empty()) return;
  text += fmt::format("{} ({})\n", title, components.size());
  for (const Component& component : components)
    text += fmt::format("  {} {}  {}{}  {}\n", mark, titled(component.package), mark,
                        size_text(component.nar_size), component.path.to_string());
}

void print(std::string& text, const char* title, const std::vector<BillDifference::Change>& changes) {
  if (changes.empty()) return;
  text += fmt::format("{} ({})\n", title, changes.size());
  for (const auto& [before, after] : changes) {
    text += before.package.version == after.package.version
                ? fmt::format("  ~ {}", titled(after.package))
                : fmt::format("  ~ {} {} → {}", after.package.name, before.package.version,
                              after.package.version);
    text += fmt::format("  {}\n    - {}\n    + {}\n", signed_size(before.nar_size, after.nar_size),
                        before.path.to_string(), after.path.to_string());
  }
}

}  // namespace

BillDifference difference(const Bill& before, const Bill& after) {
  BillDifference result;
  result.paths_before = before.components.size();
  result.paths_after = after.components.size();
  for (const Component& component : before.components) result.bytes_before += component.nar_size;
  for (const Component& component : after.components) result.bytes_after += component.nar_size;
  ByName gone = only_in(before, after);
  ByName fresh = only_in(after, before);
  result.unchanged = before.components.size();
  for (const auto& [name, components] : gone) {
    result.unchanged -= components.size();
    fresh.try_emplace(name);
  }
  for (const auto& [name, components] : fresh) pair_up(gone[name], components, result);
  return result;
}

std::string BillDifference::to_string() const {
  std::string text;
  print(text, "Added", '+', added);
  print(text, "Removed", '-', removed);
  print(text, "Another version", changed);
  print(text, "The same version, built anew", rebuilt);
  text +=
      fmt::format("{} of {} paths are in both; {} → {} ({})\n", unchanged, paths_after,
                  size_text(bytes_before), size_text(bytes_after), signed_size(bytes_before, bytes_after));
  return text;
}

json BillDifference::to_json() const {
  return {{"added", trust::to_json(added)},
          {"removed", trust::to_json(removed)},
          {"changed", trust::to_json(changed)},
          {"rebuilt", trust::to_json(rebuilt)},
          {"unchanged", unchanged},
          {"paths", {{"before", paths_before}, {"after", paths_after}}},
          {"narSize", {{"before", bytes_before}, {"after", bytes_after}}}};
}

}  // namespace flox::trust
