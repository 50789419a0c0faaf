#include "server/records/package_index.h"

#include <map>
#include <string>

#include "base/data/json.h"
#include "catalog/choice.h"
#include "server/records/schema.h"

namespace flox::server {
namespace {

struct Candidate {
  std::string version, system, variant, owner, record;
  bool is_yanked = false;
};

// A release goes before what only leads up to one, and before both what is not yanked, as in resolving; of a
// package that somebody signs, what is signed counts.
bool is_newer(const Candidate& a, const Candidate& b) {
  if (a.owner.empty() != b.owner.empty()) return b.owner.empty();
  if (a.is_yanked != b.is_yanked) return b.is_yanked;
  const bool early_a = catalog::is_pre_release(a.version);
  const bool early_b = catalog::is_pre_release(b.version);
  return early_a != early_b ? early_b : catalog::goes_before(a, b);
}

constexpr const char* any_system = "";

}  // namespace

// `system` is that of a question, and empty for any; `built_for` that of the build.
const std::string_view package_index_tables = R"(
  alter table builds add column owner text not null default '';
  alter table builds add column is_yanked bigint not null default 0;
  drop table descriptions;
  create table packages (
    system text not null, name text not null, version text not null, built_for text not null,
    variant text not null, owner text not null, license text not null, searched text not null,
    primary key (system, name));
  create index packages_by_name on packages (name);
)";

// A search reads the rows of one system by their names. In SQLite the table is in that order itself:
// otherwise each row was looked up by an index and lay on another page than the one before it.
const std::string_view package_index_in_order = R"(
  create table packages_in_order (
    system text not null, name text not null, version text not null, built_for text not null,
    variant text not null, owner text not null, license text not null, searched text not null,
    primary key (system, name)) without rowid;
  insert into packages_in_order (system, name, version, built_for, variant, owner, license, searched)
    select system, name, version, built_for, variant, owner, license, searched from packages;
  drop table packages;
  alter table packages_in_order rename to packages;
  create index packages_by_name on packages (name);
)";

void index_package(Session& session, std::string_view name) {
  std::map<std::string, Candidate> newest;  // by the question's system
  session.each("select version, system, variant, owner, record, is_yanked from builds where name = $1",
               {name}, [&](const Row& row) {
                 const Candidate candidate{.version = row.get<std::string>(0),
                                           .system = row.get<std::string>(1),
                                           .variant = row.get<std::string>(2),
                                           .owner = row.get<std::string>(3),
                                           .record = row.get<std::string>(4),
                                           .is_yanked = row.get<int64_t>(5) != 0};
                 for (const std::string& system : {std::string(any_system), candidate.system}) {
                   const auto [it, added] = newest.try_emplace(system, candidate);
                   if (!added && is_newer(candidate, it->second)) it->second = candidate;
                 }
               });
  session.run("delete from packages where name = $1", {name});
  for (const auto& [system, build] : newest) {
    const auto record = parse_json(build.record, "a record of the catalog");
    const std::string searched = searched_text(name, record.value("description", ""));
    const std::string license = record.value("license", "");
    session.run(
        "insert into packages (system, name, version, built_for, variant, owner, license, searched) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8)",
        {system, name, build.version, build.system, build.variant, build.owner, license, searched});
  }
}

void index_all_packages(Session& session) {
  constexpr int64_t page = 500;
  std::string last;
  for (;;) {
    const auto names = session.rows<std::string>(
        "select distinct name from builds where name > $1 order by name limit $2", {last, page});
    for (const auto& [name] : names) {
      for (const auto& [version, system, variant, record] :
           session.rows<std::string, std::string, std::string, std::string>(
               "select version, system, variant, record from builds where name = $1", {name})) {
        const auto content = parse_json(record, "a record of the catalog");
        const std::string owner = content.value("owner", "");
        const int64_t is_yanked = content.contains("yanked") ? 1 : 0;
        if (owner.empty() && is_yanked == 0) continue;
        session.run(
            "update builds set owner = $5, is_yanked = $6 where name = $1 and version = $2 and system = $3 "
            "and variant = $4",
            {name, version, system, variant, owner, is_yanked});
      }
      index_package(session, name);
    }
    if (names.size() < page) return;
    last = std::get<0>(names.back());
  }
}

}  // namespace flox::server
