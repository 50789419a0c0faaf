#include "server/records/facets.h"

#include <algorithm>

#include "server/records/in_list.h"

namespace flox::server {
namespace {

using Counts = std::map<std::string, size_t>;

std::vector<FacetValue> most_frequent(const Counts& counts, const std::string& chosen, size_t most) {
  std::vector<FacetValue> values;
  for (const auto& [value, count] : counts)
    if (!value.empty() && count > 0) values.push_back({.value = value, .count = count});
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

Counts counted(Session& session, std::string_view sql, const Values& values) {
  Counts counts;
  session.each(sql, values,
               [&](const Row& row) { counts[row.get<std::string>(0)] = static_cast<size_t>(row.number(1)); });
  return counts;
}

// A package's rows in the table.
struct Indexed {
  std::string owner, license, searched;
  std::set<std::string> systems;
};

void take_back(Counts& counts, const std::string& value) {
  const auto found = counts.find(value);
  if (found != counts.end() && found->second > 0) --found->second;
}

// What the package has been counted for.
void take_back(FacetCounts& counts, const Filter& filter, const Indexed& package) {
  const bool of_system = filter.system.empty() || package.systems.contains(filter.system);
  const bool of_owner = filter.owner.empty() || package.owner == filter.owner;
  const bool of_license = filter.license.empty() || package.license == filter.license;
  if (of_owner && of_license)
    for (const std::string& system : package.systems) take_back(counts.systems, system);
  if (of_system && of_license) take_back(counts.owners, package.owner);
  if (of_system && of_owner) take_back(counts.licenses, package.license);
}

}  // namespace

FacetCounts count_facets(Session& session, std::string_view term, std::string_view pattern,
                         const Filter& filter, const std::set<std::string>& hidden) {
  FacetCounts counts{
      .systems = counted(session,
                         "select s.system, count(*) from packages as p join packages as s on s.name = p.name "
                         "where p.system = '' and s.system <> '' and p.searched like $1 escape '!' and "
                         "($2 = '' or p.owner = $2) and ($3 = '' or p.license = $3) group by s.system",
                         {pattern, filter.owner, filter.license}),
      .owners = counted(session,
                        "select owner, count(*) from packages as p where system = '' and searched like $1 "
                        "escape '!' and ($2 = '' or license = $2) and ($3 = '' or exists (select 1 from "
                        "packages as s where s.system = $3 and s.name = p.name)) group by owner",
                        {pattern, filter.license, filter.system}),
      .licenses = counted(session,
                          "select license, count(*) from packages as p where system = '' and searched like "
                          "$1 escape '!' and ($2 = '' or owner = $2) and ($3 = '' or exists (select 1 from "
                          "packages as s where s.system = $3 and s.name = p.name)) group by license",
                          {pattern, filter.owner, filter.system})};
  if (hidden.empty()) return counts;
  std::map<std::string, Indexed> packages;
  each_in(session, "select name, system, owner, license, searched from packages where name",
          {hidden.begin(), hidden.end()}, [&](const Row& row) {
            Indexed& package = packages[row.get<std::string>(0)];
            std::string system = row.get<std::string>(1);
            if (!system.empty()) {
              package.systems.insert(std::move(system));
              return;
            }
            package.owner = row.get<std::string>(2);
            package.license = row.get<std::string>(3);
            package.searched = row.get<std::string>(4);
          });
  for (const auto& [name, package] : packages)
    if (package.searched.find(term) != std::string::npos) take_back(counts, filter, package);
  return counts;
}

Facets facets_of(const FacetCounts& counts, const Filter& filter, size_t most) {
  return {.systems = most_frequent(counts.systems, filter.system, most),
          .owners = most_frequent(counts.owners, filter.owner, most),
          .licenses = most_frequent(counts.licenses, filter.license, most)};
}

}  // namespace flox::server
