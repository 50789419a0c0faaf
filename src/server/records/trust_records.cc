#include "server/records/trust_records.h"

#include "base/error.h"
#include "server/records/mirrored_owners.h"
#include "server/records/stored_values.h"

namespace flox::server {
namespace {

std::optional<StoredTimestamp> newest_in(Session& session, std::string_view owner, std::string_view role) {
  auto found = session.row<int64_t, std::string>(
      "select version, document from metadata where owner = $1 and role = $2 order by version desc limit 1",
      {owner, role});
  if (!found) return std::nullopt;
  return StoredTimestamp{.version = std::get<0>(*found), .document = std::move(std::get<1>(*found))};
}

}  // namespace

bool has_newer_timestamp(Session& session, std::string_view owner, int64_t version) {
  const auto present = newest_in(session, owner, "timestamp");
  return present && present->version > version;
}

std::optional<StoredTimestamp> TrustRecords::newest(std::string_view owner, std::string_view role) const {
  return database_.transact(Access::statement,
                            [&](Session& session) { return newest_in(session, owner, role); });
}

// Of roots every version is there and stays; of the others the newest.
void TrustRecords::put(std::string_view owner, std::string_view role, int64_t version,
                       std::string_view document, std::optional<int64_t> instead_of) {
  const bool is_root = role == "root";
  database_.write([&](Session& session) {
    require_publishes_here(session, owner);
    const auto present = newest_in(session, owner, role);
    const int64_t next = present ? present->version + 1 : 1;
    const bool replaces = present && instead_of == present->version;
    if (is_root ? version != next : version < next && !replaces)
      throw Error(ErrorKind::conflict,
                  fmt::format("{}.json of {} has version {}, and the next is {}", role, owner, version, next),
                  "Read the present one again, and sign its next version.");
    if (!is_root) session.run("delete from metadata where owner = $1 and role = $2", {owner, role});
    session.run("insert into metadata (owner, role, version, document) values ($1, $2, $3, $4)",
                {owner, role, version, document});
  });
}

TrustRecords::Versions TrustRecords::versions(std::string_view owner) const {
  Versions versions;
  for (const auto& [role, version] : database_.rows<std::string, int64_t>(
           "select role, max(version) from metadata where owner = $1 group by role", {owner}))
    (role == "root"       ? versions.root
     : role == "targets"  ? versions.targets
     : role == names_role ? versions.names
                          : versions.timestamp) = version;
  return versions;
}

std::optional<std::string> TrustRecords::root(std::string_view owner, std::optional<int64_t> version) const {
  if (!version) return text_of_newest(owner, "root");
  auto found = database_.row<std::string>(
      "select document from metadata where owner = $1 and role = 'root' and version = $2", {owner, *version});
  return found ? std::optional(std::move(std::get<0>(*found))) : std::nullopt;
}

std::optional<std::string> TrustRecords::targets(std::string_view owner) const {
  return text_of_newest(owner, "targets");
}

std::optional<std::string> TrustRecords::names(std::string_view owner) const {
  return text_of_newest(owner, names_role);
}

std::optional<std::string> TrustRecords::text_of_newest(std::string_view owner, std::string_view role) const {
  auto found = newest(owner, role);
  return found ? std::optional(std::move(found->document)) : std::nullopt;
}

std::optional<StoredTimestamp> TrustRecords::timestamp(std::string_view owner) const {
  return newest(owner, "timestamp");
}

void TrustRecords::each_newest(const std::function<void(const OwnersFile&)>& take) const {
  // Page by page: of thousands of owners the files are some tens of megabytes.
  constexpr size_t page = 100;
  OwnersFile last;
  std::string last_role;
  for (;;) {
    const auto rows = database_.rows<std::string, std::string, std::string>(
        "select owner, role, document from metadata as it where role in ('root', 'targets') and version = "
        "(select max(version) from metadata as each_one where each_one.owner = it.owner and each_one.role = "
        "it.role) and (owner > $1 or (owner = $1 and role > $2)) order by owner, role limit 100",
        {last.owner, last_role});
    for (const auto& [owner, role, document] : rows) {
      last = {.owner = owner, .is_root = role == "root", .document = document};
      last_role = role;
      take(last);
    }
    if (rows.size() < page) return;
  }
}

void TrustRecords::put_root(std::string_view owner, int64_t version, std::string_view document) {
  put(owner, "root", version, document);
}

void TrustRecords::put_targets(std::string_view owner, int64_t version, std::string_view document,
                               std::optional<int64_t> instead_of) {
  put(owner, "targets", version, document, instead_of);
}

std::string TrustRecords::exchange_online_key(std::string_view public_key) {
  return database_.write([&](Session& session) {
    auto known = stored_value(session, "online_key");
    store_value(session, "online_key", public_key);
    return known.value_or("");
  });
}

void TrustRecords::put_timestamp(std::string_view owner, const StoredTimestamp& timestamp) {
  put(owner, "timestamp", timestamp.version, timestamp.document);
}

}  // namespace flox::server
