#include "server/records/mirrored_owners.h"

#include "base/error.h"
#include "server/records/build_rows.h"
#include "server/records/clock.h"
#include "server/records/package_index.h"
#include "server/records/schema.h"
#include "trust/names.h"

namespace flox::server {
namespace {

// Throws unless the owner may be mirrored, and this is newer.
void require_mirrorable(Session& session, const MirroredOwner& mirrored) {
  const auto present = session.row<int64_t>(
      "select max(version) from metadata where owner = $1 and role = $2 having count(*) > 0",
      {mirrored.owner, names_role});
  if (present && std::get<0>(*present) > mirrored.names.first)
    fail(ErrorKind::conflict, "{} is mirrored at timestamp {} already, and this is {}", mirrored.owner,
         std::get<0>(*present), mirrored.names.first);
  if (!present && session.row<int64_t>("select 1 from metadata where owner = $1 limit 1", {mirrored.owner}))
    throw Error(ErrorKind::conflict, fmt::format("{} publishes to this catalog itself", mirrored.owner),
                "Mirror an owner into a catalog to which it does not publish.");
}

void write_metadata(Session& session, const MirroredOwner& mirrored) {
  const std::string_view insert =
      "insert into metadata (owner, role, version, document) values ($1, $2, $3, $4) on conflict "
      "(owner, role, version) do update set document = excluded.document";
  for (const auto& [version, document] : mirrored.roots)
    session.run(insert, {mirrored.owner, "root", version, document});
  for (const auto& [role, file] :
       {std::pair{std::string_view("targets"), &mirrored.targets}, std::pair{names_role, &mirrored.names}}) {
    session.run("delete from metadata where owner = $1 and role = $2", {mirrored.owner, role});
    session.run(insert, {mirrored.owner, role, file->first, file->second});
  }
}

// The thing is the owner's, and public.
void hold(Session& session, std::string_view kind, const std::string& name, const std::string& owner) {
  session.run(
      "insert into holdings (kind, name, owner, is_private, since) values ($1, $2, $3, 0, $4) on conflict "
      "(kind, name) do nothing",
      {kind, name, owner, now_rfc3339()});
  const auto holder =
      session.row<std::string>("select owner from holdings where kind = $1 and name = $2", {kind, name});
  if (std::get<0>(*holder) != owner)
    throw Error(ErrorKind::conflict, fmt::format("the {} {} is another owner's here", kind, name),
                "Leave it out by its pattern, or give it to that owner: flox owner give.");
}

void write_package(Session& session, const MirroredPackage& package, const std::string& name) {
  hold(session, "package", name, package.file.owner);
  if (!has_builds(session, name)) note_new_name(session);
  session.run("delete from builds where name = $1", {name});
  for (const catalog::PackageBuild& build : package.builds) insert_build(session, build);
  index_package(session, name);
  write_name_file(session, package.file, OlderNameFiles::drop);
}

void write_generation(Session& session, const MirroredGeneration& one) {
  hold(session, "environment", one.file.owner + "/" + one.environment, one.file.owner);
  const std::string lock = one.generation.lock.to_string();
  session.run(
      "insert into environments (owner, name, number, manifest, lock, pushed_at) values ($1, $2, $3, $4, $5, "
      "$6)",
      {one.file.owner, one.environment, one.generation.number, one.generation.manifest, lock,
       one.generation.pushed_at});
  write_name_file(session, one.file, OlderNameFiles::keep);
}

void remove_name(Session& session, const std::string& owner, const std::string& name) {
  session.run("delete from name_files where owner = $1 and name = $2", {owner, name});
  const std::string package = trust::package_name("");
  if (name.starts_with(package)) {
    const std::string bare = name.substr(package.size());
    session.run("delete from builds where name = $1", {bare});
    index_package(session, bare);
    session.run("delete from holdings where kind = 'package' and name = $1 and owner = $2", {bare, owner});
    note_new_name(session);
    return;
  }
  const std::string bare = name.substr(trust::environment_name("").size());
  session.run("delete from environments where owner = $1 and name = $2", {owner, bare});
  const std::string held = owner + "/" + bare;
  session.run("delete from holdings where kind = 'environment' and name = $1", {held});
}

}  // namespace

Error mirrored_elsewhere(std::string_view owner) {
  return {ErrorKind::conflict, fmt::format("{} is mirrored here from another catalog", owner),
          "Publish, yank and remove at the catalog that it is mirrored from; the next run of 'flox-catalog "
          "mirror' brings it here."};
}

void require_publishes_here(Session& session, std::string_view owner) {
  if (session.row<int64_t>("select 1 from metadata where owner = $1 and role = $2 limit 1",
                           {owner, names_role}))
    throw mirrored_elsewhere(owner);
}

void require_package_published_here(Session& session, std::string_view package) {
  for (const auto& [owner] : session.rows<std::string>(
           "select owner from builds where name = $1 union select owner from holdings where kind = 'package' "
           "and name = $1",
           {package}))
    if (!owner.empty()) require_publishes_here(session, owner);
}

std::set<std::string> mirrored_owners(Session& session) {
  std::set<std::string> owners;
  for (auto& [owner] :
       session.rows<std::string>("select distinct owner from metadata where role = $1", {names_role}))
    owners.insert(std::move(owner));
  return owners;
}

void write_mirrored(Database& database, const MirroredOwner& mirrored, const LookedFor& looked) {
  database.write([&](Session& session) {
    require_mirrorable(session, mirrored);
    session.run(
        "insert into owners (name, is_private, created_at) values ($1, 0, $2) on conflict (name) do nothing",
        {mirrored.owner, now_rfc3339()});
    write_metadata(session, mirrored);
    for (const MirroredPackage& package : mirrored.packages)
      write_package(session, package, package.file.name.substr(trust::package_name("").size()));
    for (const MirroredGeneration& generation : mirrored.generations) write_generation(session, generation);
    for (const std::string& name : mirrored.gone) remove_name(session, mirrored.owner, name);
    RemovalMarks::require_none(session, looked);
  });
}

}  // namespace flox::server
