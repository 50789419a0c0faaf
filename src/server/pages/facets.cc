#include "server/pages/facets.h"

#include <algorithm>
#include <map>

namespace flox::server {
namespace {

std::vector<FacetValue> most_frequent(const std::map<std::string, size_t>& counts, const std::string& chosen,
                                      size_t most) {
  std::vector<FacetValue> values;
  for (const auto& [value, count] : counts)
    if (!value.empty()) values.push_back({.value = value, .count = count});
  std::ranges::stable_sort(values, std::greater(), &FacetValue::count);
  if (!chosen.empty()) {
    const auto found = std::ranges::find(values, chosen, &FacetValue::value);
    if (found == values.end())
      values.insert(values.begin(), {.value = chosen, .count = 0});
    else if (found - values.begin() >= static_cast<ptrdiff_t>(most))
      std::rotate(values.begin(), found, found + 1);
  }
  if (values.size() > most) values.resize(most);
  return values;
}

}  // namespace

bool Filter::admits(const Match& match) const {
  return (system.empty() || match.systems.contains(system)) &&
         (owner.empty() || match.build.owner == owner) && (license.empty() || match.build.license == license);
}

Facets facets_of(const std::vector<Match>& matches, const Filter& filter, size_t most) {
  std::map<std::string, size_t> systems, owners, licenses;
  for (const Match& match : matches) {
    const Filter without_system{.system = {}, .owner = filter.owner, .license = filter.license};
    const Filter without_owner{.system = filter.system, .owner = {}, .license = filter.license};
    const Filter without_license{.system = filter.system, .owner = filter.owner, .license = {}};
    if (without_system.admits(match))
      for (const std::string& system : match.systems) ++systems[system];
    if (without_owner.admits(match)) ++owners[match.build.owner];
    if (without_license.admits(match)) ++licenses[match.build.license];
  }
  return {.systems = most_frequent(systems, filter.system, most),
          .owners = most_frequent(owners, filter.owner, most),
          .licenses = most_frequent(licenses, filter.license, most)};
}

}  // namespace flox::server
