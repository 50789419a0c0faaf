#include "server/api/visible_records.h"

namespace flox::server {

std::vector<catalog::PackageBuild> VisibleRecords::builds(const std::string& name) const {
  if (hidden_.contains(name)) return {};
  return records_.builds(name);
}

std::vector<RecordedBuild> VisibleRecords::recorded(const std::string& name) const {
  if (hidden_.contains(name)) return {};
  return records_.recorded(name);
}

FoundPackages VisibleRecords::search(std::string_view term, const Filter& filter, const Part& part) const {
  return records_.search(term, filter, hidden_, part);
}

Facets VisibleRecords::facets(std::string_view term, const Filter& filter, size_t most) const {
  return records_.facets(term, filter, hidden_, most);
}

std::map<std::string, std::set<std::string>> VisibleRecords::systems(
    const std::vector<std::string>& names) const {
  auto found = records_.systems(names);
  for (const auto& name : hidden_) found.erase(name);
  return found;
}

std::shared_ptr<const std::vector<std::string>> VisibleRecords::names() const {
  auto all = records_.names();
  if (hidden_.empty()) return all;
  auto names = std::make_shared<std::vector<std::string>>(*all);
  std::erase_if(*names, [&](const auto& name) { return hidden_.contains(name); });
  return names;
}

}  // namespace flox::server
