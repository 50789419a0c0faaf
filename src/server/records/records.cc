#include "server/records/records.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "base/data/json.h"
#include "base/error.h"
#include "base/log.h"
#include "catalog/choice.h"
#include "server/records/database.h"
#include "trust/verifier.h"

namespace flox::server {
namespace {

using catalog::PackageBuild;

constexpr const char* schema = R"(
  create table if not exists builds (
    name text not null, version text not null, system text not null, variant text not null,
    record text not null,  -- PackageBuild as JSON
    primary key (name, version, system, variant));
  pragma user_version = 1;
)";

PackageBuild build_of(const std::string& record) {
  return PackageBuild::from_json(parse_json(record, "a record of the catalog"));
}

}  // namespace

struct Records::State {
  explicit State(const std::filesystem::path& file) : db(open_database(file)) {}
  sqlite::Connection db;
  std::optional<NameFiles> name_files;  // made once the database is known to be of this version
  mutable std::mutex mutex;
  mutable std::shared_ptr<const std::vector<std::string>> names;  // null: to be read
  int64_t version() const {
    sqlite::Query query(db, "pragma user_version");
    query.next();
    return query.number(0);
  }
  std::optional<PackageBuild> find(const PackageBuild& like) const {
    sqlite::Query query(
        db, "select record from builds where name = ? and version = ? and system = ? and variant = ?");
    query.bind(like.name).bind(like.version).bind(like.system).bind(like.variant);
    return query.next() ? std::optional(build_of(query.text(0))) : std::nullopt;
  }
  std::vector<PackageBuild> all_builds(std::string_view name) const {
    sqlite::Query query(db, "select record from builds where name = ?");
    query.bind(name);
    std::vector<PackageBuild> result;
    while (query.next()) result.push_back(build_of(query.text(0)));
    return result;
  }
  // The builds of the package's owner if it has one; else all.
  std::vector<PackageBuild> builds(std::string_view name) const {
    std::vector<PackageBuild> result = all_builds(name);
    if (std::ranges::any_of(result, [](const auto& build) { return !build.owner.empty(); }))
      std::erase_if(result, [](const auto& build) { return build.owner.empty(); });
    return result;
  }
  std::string owner_of(std::string_view name) const {
    sqlite::Query query(
        db, "select max(coalesce(record ->> 'owner', '')) from builds where name = ?");  // '' is least
    query.bind(name);
    return query.next() ? query.text(0) : "";
  }
  void check_owner(const PackageBuild& build, bool is_signed) const {
    if (build.owner.empty() == is_signed)
      fail(ErrorKind::invalid_input, "a build has an owner and its name file, or neither");
    const std::string owner = owner_of(build.name);
    if (owner == build.owner || owner.empty()) return;
    throw Error(
        ErrorKind::untrusted, fmt::format("package {} is {}'s", build.name, owner),
        build.owner.empty()
            ? fmt::format("Publish it with --owner {} and a key that {} has delegated it to.", owner, owner)
            : "Publish under another name.");
  }
  // What the name file lists is its owner's from now on, and the rest nobody's.
  void set_owner(const SignedBuilds& signed_by, const std::string& package) const {
    std::map<std::string, std::string> missing = signed_by.listed;
    for (PackageBuild& build : all_builds(package)) {
      const trust::PackageRecord record = catalog::record_of(build);
      const auto listed = missing.find(record.target_path());
      const bool is_signed = listed != missing.end() && listed->second == record.to_target().sha256;
      if (is_signed) missing.erase(listed);
      const std::string owner = is_signed ? signed_by.file.owner : "";
      if (build.owner == owner) continue;
      build.owner = owner;
      replace(build);
    }
    if (missing.empty()) return;
    throw Error(
        ErrorKind::invalid_input,
        fmt::format("the name file lists {}, and the catalog has no such build of {}", missing.begin()->first,
                    package),
        "Publish builds one by one: each name file adds one that the catalog has been given with it.");
  }
  void replace(const PackageBuild& build) const {
    sqlite::Query insert(db, "insert or replace into builds values (?, ?, ?, ?, ?)");
    insert.bind(build.name)
        .bind(build.version)
        .bind(build.system)
        .bind(build.variant)
        .bind(build.to_json().dump());
    insert.run();
  }
};

Records::Records(const std::filesystem::path& file) : state_(std::make_unique<State>(file)) {
  const int64_t version = state_->version();
  if (version > 1) fail(ErrorKind::conflict, "{} was written by a newer flox-catalog", file.string());
  sqlite::Transaction transaction(state_->db);
  if (version == 0) state_->db.execute(schema);
  state_->db.execute("create table if not exists settings (name text primary key, value text not null)");
  state_->name_files.emplace(state_->db);
  transaction.commit();
}
Records::~Records() = default;

bool Records::add(const PackageBuild& build, const std::optional<SignedBuilds>& signed_by) {
  std::scoped_lock lock(state_->mutex);
  sqlite::Transaction transaction(state_->db);
  state_->check_owner(build, signed_by.has_value());
  const auto recorded = state_->find(build);
  if (recorded && recorded->outputs != build.outputs)
    throw Error(ErrorKind::conflict,
                fmt::format("{} {} for {} is published already, with other content", build.name,
                            build.version, build.system),
                "Raise the version: a published version never changes.");
  if (recorded && !signed_by) return false;
  if (!recorded) state_->replace(build);
  if (signed_by) {
    state_->set_owner(*signed_by, build.name);
    state_->name_files->add(signed_by->file, OlderNameFiles::drop);
  }
  transaction.commit();
  state_->names.reset();
  return !recorded;
}

void Records::disown(std::string_view name) {
  std::scoped_lock lock(state_->mutex);
  sqlite::Transaction transaction(state_->db);
  for (PackageBuild& build : state_->all_builds(name)) {
    if (build.owner.empty()) continue;
    build.owner.clear();
    state_->replace(build);
  }
  transaction.commit();
}

std::optional<PackageBuild> Records::find(const PackageBuild& like) const {
  std::scoped_lock lock(state_->mutex);
  return state_->find(like);
}

std::vector<PackageBuild> Records::builds(std::string_view name) const {
  std::scoped_lock lock(state_->mutex);
  std::vector<PackageBuild> result = state_->builds(name);
  std::ranges::sort(result, catalog::goes_before);
  return result;
}

std::vector<PackageBuild> Records::search(std::string_view term, std::string_view system) const {
  std::scoped_lock lock(state_->mutex);
  sqlite::Query query(state_->db,
                      "select record from builds where (?2 = '' or system = ?2) and "
                      "(instr(lower(name), lower(?1)) or instr(lower(record ->> 'description'), lower(?1)))");
  query.bind(term).bind(system);
  // A release goes before what only leads up to one, as in resolving; of a package that has an owner, what it
  // has signed counts.
  auto goes_before = [](const PackageBuild& a, const PackageBuild& b) {
    if (a.owner.empty() != b.owner.empty()) return b.owner.empty();
    bool early_a = catalog::is_pre_release(a.version);
    bool early_b = catalog::is_pre_release(b.version);
    return early_a != early_b ? early_b : catalog::compare_versions(a.version, b.version) > 0;
  };
  std::map<std::string, PackageBuild> newest;
  while (query.next()) {
    PackageBuild build = build_of(query.text(0));
    auto [it, added] = newest.try_emplace(build.name, build);
    if (!added && goes_before(build, it->second)) it->second = std::move(build);
  }
  std::vector<PackageBuild> result;
  for (auto& [name, build] : newest) result.push_back(std::move(build));
  return result;
}

std::shared_ptr<const std::vector<std::string>> Records::names() const {
  std::scoped_lock lock(state_->mutex);
  if (state_->names) return state_->names;
  sqlite::Query query(state_->db, "select distinct name from builds order by name");
  auto result = std::make_shared<std::vector<std::string>>();
  while (query.next()) result->push_back(query.text(0));
  return state_->names = std::move(result);
}

void Records::set_signers(const std::string& keys,
                          const std::function<std::string(const PackageBuild&)>& signer_of) {
  std::scoped_lock lock(state_->mutex);
  sqlite::Transaction transaction(state_->db);
  {
    sqlite::Query known(state_->db, "select value from settings where name = 'keys'");
    if (known.next() && known.text(0) == keys) return;
  }
  std::vector<std::pair<int64_t, std::string>> changed;
  {
    sqlite::Query query(state_->db, "select rowid, record from builds");
    while (query.next()) {
      PackageBuild build = build_of(query.text(1));
      std::string signer = signer_of(build);
      if (signer == build.signer) continue;
      build.signer = std::move(signer);
      changed.emplace_back(query.number(0), build.to_json().dump());
    }
  }
  const sqlite::Statement update(state_->db, "update builds set record = ?2 where rowid = ?1");
  for (const auto& [row, record] : changed) update.use().bind(row).bind(record).run();
  sqlite::Query(state_->db, "insert or replace into settings values ('keys', ?)").bind(keys).run();
  transaction.commit();
  if (!changed.empty())
    log::info("the trusted keys have changed: {} builds have another signer", changed.size());
}

int64_t Records::count() const {
  std::scoped_lock lock(state_->mutex);
  sqlite::Query query(state_->db, "select count(*) from builds");
  query.next();
  return query.number(0);
}

std::string Records::owner_of(std::string_view name) const {
  std::scoped_lock lock(state_->mutex);
  return state_->owner_of(name);
}

std::optional<StoredNameFile> Records::name_file(std::string_view owner, std::string_view name) const {
  std::scoped_lock lock(state_->mutex);
  return state_->name_files->find(owner, name);
}

std::vector<NameState> Records::name_states(std::string_view owner) const {
  std::scoped_lock lock(state_->mutex);
  return state_->name_files->latest(owner);
}

int64_t Records::name_changes(std::string_view owner) const {
  std::scoped_lock lock(state_->mutex);
  return state_->name_files->changes(owner);
}

}  // namespace flox::server
