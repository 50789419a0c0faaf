#include "server/records/attestations.h"

#include <algorithm>
#include <mutex>

#include "base/error.h"
#include "server/records/database.h"

namespace flox::server {

struct AttestationRecords::State {
  explicit State(const std::filesystem::path& file) : db(open_database(file)) {}
  sqlite::Connection db;
  mutable std::mutex mutex;

  std::vector<AttestationRecord> find(std::string_view digest) const {
    sqlite::Query query(db, "select key, envelope from attestations where digest = ? order by key");
    query.bind(digest);
    std::vector<AttestationRecord> records;
    while (query.next()) records.push_back({.key = query.text(0), .envelope = query.text(1)});
    return records;
  }
};

AttestationRecords::AttestationRecords(const std::filesystem::path& file)
    : state_(std::make_unique<State>(file)) {
  state_->db.execute(
      "create table if not exists attestations (digest text not null, key text not null, envelope text not "
      "null, "
      "primary key (digest, key)) without rowid");
}
AttestationRecords::~AttestationRecords() = default;

bool AttestationRecords::add(std::string_view digest, const AttestationRecord& record) {
  const std::scoped_lock lock(state_->mutex);
  // Another catalog may serve the same file: what is looked at is of the moment of the change.
  sqlite::Transaction transaction(state_->db);
  const auto records = state_->find(digest);
  if (const auto same = std::ranges::find(records, record.key, &AttestationRecord::key);
      same != records.end()) {
    if (same->envelope == record.envelope) return false;
    throw Error(ErrorKind::conflict,
                fmt::format("'{}' has attested this path already, otherwise", record.key),
                "An attestation never changes; the first one stays.");
  }
  if (records.size() == most_of_a_path)
    fail(ErrorKind::conflict, "this path has {} attestations already", most_of_a_path);
  sqlite::Query insert(state_->db, "insert into attestations values (?, ?, ?)");
  insert.bind(digest).bind(record.key).bind(record.envelope);
  insert.run();
  transaction.commit();
  return true;
}

std::vector<AttestationRecord> AttestationRecords::find(std::string_view digest) const {
  const std::scoped_lock lock(state_->mutex);
  return state_->find(digest);
}

std::set<std::string> AttestationRecords::among(const std::set<std::string>& digests) const {
  const std::scoped_lock lock(state_->mutex);
  const sqlite::Statement has(state_->db, "select 1 from attestations where digest = ? limit 1");
  std::set<std::string> found;
  for (const std::string& digest : digests) {
    auto row = has.use();
    row.bind(digest);
    if (row.next()) found.insert(digest);
  }
  return found;
}

}  // namespace flox::server
