#include "server/records/build_rows.h"

namespace flox::server {
namespace {

constexpr int64_t builds_at_once = 500;

}  // namespace

bool has_builds(Session& session, std::string_view package) {
  return session.row<int64_t>("select 1 from builds where name = $1 limit 1", {package}).has_value();
}

void insert_build(Session& session, const catalog::PackageBuild& build) {
  const std::string record = build.to_json().dump();
  session.run(
      "insert into builds (name, version, system, variant, record, owner, is_yanked) values ($1, $2, $3, $4, "
      "$5, $6, $7)",
      {build.name, build.version, build.system, build.variant, record, build.owner,
       int64_t{build.yanked.has_value()}});
}

void replace_build(Session& session, const catalog::PackageBuild& build) {
  const std::string record = build.to_json().dump();
  session.run(
      "update builds set record = $5, owner = $6, is_yanked = $7 where name = $1 and version = $2 and "
      "system = $3 and variant = $4",
      {build.name, build.version, build.system, build.variant, record, build.owner,
       int64_t{build.yanked.has_value()}});
}

void remove_unsigned_build(Session& session, const catalog::PackageBuild& build) {
  session.run(
      "delete from builds where name = $1 and version = $2 and system = $3 and variant = $4 and owner = ''",
      {build.name, build.version, build.system, build.variant});
}

void for_each_page_of_builds(Database& database,
                             const std::function<void(const std::vector<BuildRow>&)>& take) {
  BuildRow last;
  for (;;) {
    std::vector<BuildRow> page;
    for (auto& [name, version, system, variant, record] :
         database.rows<std::string, std::string, std::string, std::string, std::string>(
             "select name, version, system, variant, record from builds where (name, version, system, "
             "variant) > ($1, $2, $3, $4) order by name, version, system, variant limit $5",
             {last.name, last.version, last.system, last.variant, builds_at_once}))
      page.push_back({.name = std::move(name),
                      .version = std::move(version),
                      .system = std::move(system),
                      .variant = std::move(variant),
                      .record = std::move(record)});
    take(page);
    if (page.size() < static_cast<size_t>(builds_at_once)) return;
    last = std::move(page.back());
  }
}

}  // namespace flox::server
