#include <algorithm>

#include "server/records/tables.h"

namespace flox::server {

std::span<const Table> carried_tables() {
  static const std::vector<Table> all = {
      {.name = "owners", .columns = {{"name"}, {"is_private", true}, {"created_at"}}, .keys = 1},
      {.name = "members", .columns = {{"owner"}, {"member"}, {"role"}}, .keys = 2},
      {.name = "holdings",
       .columns = {{"kind"}, {"name"}, {"owner"}, {"is_private", true}, {"since"}},
       .keys = 2},
      {.name = "builds", .columns = {{"name"}, {"version"}, {"system"}, {"variant"}, {"record"}}, .keys = 4},
      {.name = "environments",
       .columns = {{"owner"}, {"name"}, {"number", true}, {"manifest"}, {"lock"}, {"pushed_at"}},
       .keys = 3},
      {.name = "metadata", .columns = {{"owner"}, {"role"}, {"version", true}, {"document"}}, .keys = 3},
      {.name = "name_files",
       .columns = {{"owner"}, {"name"}, {"version", true}, {"sha256"}, {"document"}},
       .keys = 3},
      {.name = "retention_rules",
       .columns = {{"owner"}, {"versions", true}, {"generations", true}, {"days", true}},
       .keys = 1},
      {.name = "attestations", .columns = {{"digest"}, {"key"}, {"envelope"}}, .keys = 2},
      {.name = "start_profiles",
       .columns = {{"kind"}, {"name"}, {"profile"}, {"published_at"}},
       .keys = 2,
       .is_optional = true},
      {.name = "cache_readers", .columns = {{"name"}, {"reader"}}, .keys = 2},
  };
  return all;
}

const Table* find_table(std::string_view name) noexcept {
  const auto all = carried_tables();
  const auto found = std::ranges::find(all, name, &Table::name);
  return found == all.end() ? nullptr : &*found;
}

}  // namespace flox::server
