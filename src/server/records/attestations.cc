#include "server/records/attestations.h"

#include <algorithm>

#include "base/error.h"

namespace flox::server {
namespace {

std::vector<AttestationRecord> attestations_in(Session& session, std::string_view digest) {
  std::vector<AttestationRecord> records;
  for (auto& [key, envelope] : session.rows<std::string, std::string>(
           "select key, envelope from attestations where digest = $1 order by key", {digest}))
    records.push_back({.key = std::move(key), .envelope = std::move(envelope)});
  return records;
}

}  // namespace

bool AttestationRecords::add(std::string_view digest, const AttestationRecord& record) {
  return database_.write([&](Session& session) {
    const auto records = attestations_in(session, digest);
    if (const auto same = std::ranges::find(records, record.key, &AttestationRecord::key);
        same != records.end()) {
      if (same->envelope == record.envelope) return false;
      throw Error(ErrorKind::conflict,
                  fmt::format("'{}' has attested this path already, otherwise", record.key),
                  "An attestation never changes; the first one stays.");
    }
    if (records.size() == most_of_a_path)
      fail(ErrorKind::conflict, "this path has {} attestations already", most_of_a_path);
    session.run("insert into attestations (digest, key, envelope) values ($1, $2, $3)",
                {digest, record.key, record.envelope});
    return true;
  });
}

std::vector<AttestationRecord> AttestationRecords::find(std::string_view digest) const {
  return database_.transact(Access::statement,
                            [&](Session& session) { return attestations_in(session, digest); });
}

std::set<std::string> AttestationRecords::among(const std::set<std::string>& digests) const {
  return database_.read([&](Session& session) {
    std::set<std::string> found;
    for (const std::string& digest : digests)
      if (session.row<int64_t>("select 1 from attestations where digest = $1 limit 1", {digest}))
        found.insert(digest);
    return found;
  });
}

}  // namespace flox::server
