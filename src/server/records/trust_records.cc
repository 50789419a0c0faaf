#include "server/records/trust_records.h"

#include <mutex>

#include "base/data/sqlite.h"
#include "base/error.h"
#include "server/records/database.h"

namespace flox::server {
namespace {

constexpr const char* metadata_schema = R"(
  create table if not exists metadata (
    owner text not null, role text not null, version integer not null, document text not null,
    primary key (owner, role, version));
)";

}  // namespace

struct TrustRecords::State {
  explicit State(const std::filesystem::path& file) : db(open_database(file)) { db.execute(metadata_schema); }
  sqlite::Connection db;
  mutable std::mutex mutex;

  // Version 0 and no document: there is none.
  StoredTimestamp newest(std::string_view owner, std::string_view role) const {
    sqlite::Query query(
        db,
        "select version, document from metadata where owner = ? and role = ? order by version "
        "desc limit 1");
    query.bind(owner).bind(role);
    return query.next() ? StoredTimestamp{query.number(0), query.text(1)} : StoredTimestamp{};
  }
  std::optional<std::string> document(std::string_view owner, std::string_view role) const {
    const std::scoped_lock lock(mutex);
    auto found = newest(owner, role);
    return found.version == 0 ? std::nullopt : std::optional(std::move(found.document));
  }
  // Of roots every version is there and stays; of the others the newest.
  void put(std::string_view owner, std::string_view role, int64_t version, std::string_view document) {
    const bool is_root = role == "root";
    const std::scoped_lock lock(mutex);
    sqlite::Transaction transaction(db);
    const int64_t next = newest(owner, role).version + 1;
    if (is_root ? version != next : version < next)
      throw Error(ErrorKind::conflict,
                  fmt::format("{}.json of {} has version {}, and the next is {}", role, owner, version, next),
                  "Read the present one again, and sign its next version.");
    if (!is_root)
      sqlite::Query(db, "delete from metadata where owner = ? and role = ?").bind(owner).bind(role).run();
    sqlite::Query(db, "insert into metadata values (?, ?, ?, ?)")
        .bind(owner)
        .bind(role)
        .bind(version)
        .bind(document)
        .run();
    transaction.commit();
  }
};

TrustRecords::TrustRecords(const std::filesystem::path& file) : state_(std::make_unique<State>(file)) {}
TrustRecords::~TrustRecords() = default;

TrustRecords::Versions TrustRecords::versions(std::string_view owner) const {
  const std::scoped_lock lock(state_->mutex);
  sqlite::Query query(state_->db, "select role, max(version) from metadata where owner = ? group by role");
  query.bind(owner);
  Versions versions;
  while (query.next()) {
    const std::string_view role = query.view(0);
    (role == "root"      ? versions.root
     : role == "targets" ? versions.targets
                         : versions.timestamp) = query.number(1);
  }
  return versions;
}

std::optional<std::string> TrustRecords::root(std::string_view owner, std::optional<int64_t> version) const {
  if (!version) return state_->document(owner, "root");
  const std::scoped_lock lock(state_->mutex);
  sqlite::Query query(state_->db,
                      "select document from metadata where owner = ? and role = 'root' and version = ?");
  query.bind(owner).bind(*version);
  return query.next() ? std::optional(query.text(0)) : std::nullopt;
}

std::optional<std::string> TrustRecords::targets(std::string_view owner) const {
  return state_->document(owner, "targets");
}

std::optional<StoredTimestamp> TrustRecords::timestamp(std::string_view owner) const {
  const std::scoped_lock lock(state_->mutex);
  auto found = state_->newest(owner, "timestamp");
  return found.version == 0 ? std::nullopt : std::optional(std::move(found));
}

void TrustRecords::put_root(std::string_view owner, int64_t version, std::string_view document) {
  state_->put(owner, "root", version, document);
}

void TrustRecords::put_targets(std::string_view owner, int64_t version, std::string_view document) {
  state_->put(owner, "targets", version, document);
}

void TrustRecords::put_timestamp(std::string_view owner, const StoredTimestamp& timestamp) {
  state_->put(owner, "timestamp", timestamp.version, timestamp.document);
}

int64_t TrustRecords::count_owners() const {
  const std::scoped_lock lock(state_->mutex);
  sqlite::Query query(state_->db, "select count(distinct owner) from metadata where role = 'root'");
  query.next();
  return query.number(0);
}

}  // namespace flox::server
