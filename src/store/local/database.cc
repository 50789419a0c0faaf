#include "store/local/database.h"

#include <algorithm>
#include <ctime>
#include <limits>
#include <mutex>

#include "base/data/bytes.h"
#include "base/error.h"
#include "store/local/reference_order.h"
#include "store/local/row_ranges.h"
#include "store/local/row_text.h"
#include "store/local/store_connection.h"

namespace flox::store {

using nix::PathInfo;
using nix::StorePath;
using nix::StorePathSet;

struct Database::State {
  State(const std::filesystem::path& file, std::chrono::milliseconds lock_timeout, bool read_only)
      : connection(file, lock_timeout, read_only) {}

  mutable std::mutex mutex;
  StoreConnection connection;
  sqlite::Statement find{
      connection,
      "select id, hash, registrationTime, deriver, narSize, ultimate, sigs, ca from ValidPaths "
      "where path = ?"};
  sqlite::Statement references{
      connection, "select path from Refs join ValidPaths on reference = ValidPaths.id where referrer = ?"};
  sqlite::Statement references_of{connection,
                                  "select referrer, reference from Refs where referrer between ? and ?"};
  sqlite::Statement paths_of{connection, "select id, path from ValidPaths where id between ? and ?"};
  sqlite::Statement data_version{connection, "pragma data_version"};
  sqlite::Statement since{connection, "select path from ValidPaths where id >= ?"};
  sqlite::Statement youngest{connection, "select max(registrationTime) from ValidPaths where id >= ?"};
  sqlite::Statement last{connection, "select max(id) from ValidPaths"};
  sqlite::Statement nodes{
      connection, "select id, path, narSize, registrationTime, deriver from ValidPaths order by path"};
  sqlite::Statement edges{connection, "select referrer, reference from Refs"};
  sqlite::Statement from{connection, "select path from ValidPaths where path >= ? order by path"};
  sqlite::Statement referred{connection, "select 1 from Refs where reference = ? and referrer <> ? limit 1"};
  sqlite::Statement remove{connection, "delete from ValidPaths where id = ?"};
  sqlite::Statement insert{
      connection,
      "insert into ValidPaths (path, hash, registrationTime, deriver, narSize, ultimate, sigs, ca) "
      "values (?, ?, ?, ?, ?, ?, ?, ?)"};
  sqlite::Statement refer{connection, "insert or replace into Refs (referrer, reference) values (?, ?)"};
  sqlite::Statement sign{connection, "update ValidPaths set sigs = ? where id = ?"};

  // 0 if it is not valid.
  int64_t id_of(const StorePath& path) {
    auto row = find.use();
    row.bind(path.to_string());
    return row.next() ? row.number(0) : 0;
  }

  void merge_signatures(const StorePath& path, const std::vector<std::string>& signatures) {
    int64_t id = 0;
    std::vector<std::string> all;
    {
      auto row = find.use();
      row.bind(path.to_string());
      if (!row.next()) fail(ErrorKind::not_found, "{} is not in the store", path.to_string());
      id = row.number(0);
      all = split_signatures(row.text(6));
    }
    const size_t before = all.size();
    for (const std::string& signature : signatures)
      if (std::ranges::find(all, signature) == all.end()) all.push_back(signature);
    if (all.size() != before) sign.use().bind(join_signatures(all)).bind(id).run();
  }

  // Adds the row; true if it is new.
  bool add_row(const PathInfo& info) {
    const std::string hash = "sha256:" + to_hex(bytes_of(info.nar_hash));
    std::optional<std::string> known;
    {
      auto row = find.use();
      row.bind(info.path.to_string());
      if (row.next()) known = row.text(1);
    }
    if (known) {
      if (*known != hash)
        fail(ErrorKind::conflict, "{} is in the store already, with other contents", info.path.to_string());
      merge_signatures(info.path, info.signatures);
      return false;
    }
    insert.use()
        .bind(info.path.to_string())
        .bind(hash)
        .bind(info.registration_time != 0 ? info.registration_time : static_cast<int64_t>(std::time(nullptr)))
        .bind_optional(info.deriver ? info.deriver->to_string() : std::string())
        .bind_optional(static_cast<int64_t>(info.nar_size))
        .bind_optional(info.ultimate ? 1 : 0)
        .bind_optional(join_signatures(info.signatures))
        .bind_optional(info.content_address ? info.content_address->to_string() : std::string())
        .run();
    return true;
  }
};

Database::Database(const std::filesystem::path& file, std::chrono::milliseconds lock_timeout, bool read_only)
    : state_(std::make_unique<State>(file, lock_timeout, read_only)) {}
Database::~Database() = default;

std::optional<PathInfo> Database::query(const StorePath& path) const {
  const std::lock_guard lock(state_->mutex);
  auto row = state_->find.use();
  row.bind(path.to_string());
  if (!row.next()) return std::nullopt;
  return in_context("store database: " + path.to_string(), [&] {
    PathInfo info{.path = path};
    info.nar_hash = nix::parse_hash(row.text(1));
    info.registration_time = row.number(2);
    // Who made it is for people: an odd one counts as none.
    if (const std::string deriver = row.text(3); !deriver.empty()) info.deriver = path_of_row(deriver);
    info.nar_size = size_of_row(row.number(4));
    info.ultimate = row.number(5) != 0;
    info.signatures = split_signatures(row.text(6));
    if (const std::string address = row.text(7); !address.empty())
      info.content_address = address_of_row(address, path);
    auto reference = state_->references.use();
    reference.bind(row.number(0));
    while (reference.next()) info.references.insert(StorePath::parse(reference.text(0)));
    return info;
  });
}

bool Database::has_row(std::string_view path) const {
  const std::lock_guard lock(state_->mutex);
  auto row = state_->find.use();
  row.bind(path);
  return row.next();
}

bool Database::is_valid(const StorePath& path) const {
  const std::lock_guard lock(state_->mutex);
  return state_->id_of(path) != 0;
}

StorePathSet Database::all() const { return since(0); }

StorePathSet Database::since(int64_t id) const {
  const std::lock_guard lock(state_->mutex);
  StorePathSet paths;
  auto row = state_->since.use();
  row.bind(id);
  while (row.next())
    if (auto path = path_of_row(row.view(0))) paths.insert(std::move(*path));
  return paths;
}

int64_t Database::last_registration_since(int64_t id) const {
  const std::lock_guard lock(state_->mutex);
  auto row = state_->youngest.use();
  row.bind(id);
  row.next();
  return row.number(0);
}

int64_t Database::next_id() const {
  const std::lock_guard lock(state_->mutex);
  auto row = state_->last.use();
  row.next();
  // NULL, without rows, reads as 0.
  return std::clamp<int64_t>(row.number(0), 0, std::numeric_limits<int64_t>::max() - 1) + 1;
}

DatabaseVersion Database::version() const {
  const std::lock_guard lock(state_->mutex);
  auto row = state_->data_version.use();
  row.next();
  return {.others = row.number(0), .own = state_->connection.total_changes()};
}

std::optional<StorePath> Database::find(std::string_view digest) const {
  const std::lock_guard lock(state_->mutex);
  const std::string start = fmt::format("{}/{}", nix::store_dir, digest);
  auto row = state_->from.use();
  row.bind(start);
  while (row.next() && row.view(0).starts_with(start))
    if (auto path = path_of_row(row.view(0))) return path;
  return std::nullopt;
}

ReferenceGraph Database::references() const {
  const std::lock_guard lock(state_->mutex);
  const sqlite::Transaction one_moment(state_->connection, sqlite::Transaction::Kind::read);
  ReferenceGraph::Builder builder;
  {
    auto row = state_->nodes.use();
    while (row.next()) {
      if (auto path = path_of_row(row.view(1)))
        builder.add_node(row.number(0), {.path = std::move(*path),
                                         .nar_size = size_of_row(row.number(2)),
                                         .registration_time = row.number(3),
                                         .deriver = row.text(4)});
      else
        builder.add_opaque(row.number(0));
    }
  }
  auto row = state_->edges.use();
  while (row.next()) builder.add_reference(row.number(0), row.number(1));
  return std::move(builder).finish();
}

StorePathSet Database::closure(const StorePathSet& paths) const {
  const std::lock_guard lock(state_->mutex);
  const sqlite::Transaction one_moment(state_->connection, sqlite::Transaction::Kind::read);
  std::vector<int64_t> reached;
  IdSet seen;
  auto reach = [&](int64_t id) {
    if (seen.insert(id)) reached.push_back(id);
  };
  for (const StorePath& path : paths) {
    const int64_t id = state_->id_of(path);
    if (id == 0) fail(ErrorKind::not_found, "{} is not in the store", path.to_string());
    reach(id);
  }
  // Those at the same distance from the start at once: they are often neighbours.
  for (size_t start = 0; start < reached.size();) {
    std::vector<int64_t> level(reached.begin() + static_cast<ptrdiff_t>(start), reached.end());
    start = reached.size();
    std::ranges::sort(level);
    for_each_row(state_->references_of, level, [&](auto& row) { reach(row.number(1)); });
  }
  std::ranges::sort(reached);
  std::vector<StorePath> found;
  found.reserve(reached.size());
  for_each_row(state_->paths_of, reached, [&](auto& row) {
    if (auto path = path_of_row(row.view(1))) found.push_back(std::move(*path));
  });
  return {std::make_move_iterator(found.begin()), std::make_move_iterator(found.end())};
}

std::vector<StorePath> Database::remove(const std::vector<StorePath>& paths) {
  const std::lock_guard lock(state_->mutex);
  const SyncedCommits synced(state_->connection);
  sqlite::Transaction transaction(state_->connection);
  std::vector<StorePath> removed;
  for (const StorePath& path : paths) {
    const int64_t id = state_->id_of(path);
    if (id == 0 || state_->referred.use().bind(id).bind(id).next()) continue;
    state_->remove.use().bind(id).run();
    removed.push_back(path);
  }
  transaction.commit();
  return removed;
}

void Database::register_valid(const std::vector<PathInfo>& infos) {
  in_reference_order(infos);  // throws for circles
  const std::lock_guard lock(state_->mutex);
  sqlite::Transaction transaction(state_->connection);
  std::vector<const PathInfo*> fresh;
  for (const PathInfo& info : infos)
    if (state_->add_row(info)) fresh.push_back(&info);
  for (const PathInfo* info : fresh) {
    const int64_t referrer = state_->id_of(info->path);
    for (const StorePath& reference : info->references) {
      const int64_t id = state_->id_of(reference);
      if (id == 0)
        fail(ErrorKind::invalid_input, "cannot register {}: its reference {} is not in the store",
             info->path.to_string(), reference.to_string());
      state_->refer.use().bind(referrer).bind(id).run();
    }
  }
  transaction.commit();
}

void Database::add_signatures(const StorePath& path, const std::vector<std::string>& signatures) {
  const std::lock_guard lock(state_->mutex);
  sqlite::Transaction transaction(state_->connection);
  state_->merge_signatures(path, signatures);
  transaction.commit();
}

}  // namespace flox::store
