#include "store/local/database.h"

#include <algorithm>
#include <ctime>
#include <limits>
#include <mutex>
#include <set>
#include <unordered_set>

#include "base/data/bytes.h"
#include "base/data/sqlite.h"
#include "base/error.h"
#include "base/log.h"
#include "base/printable.h"
#include "store/local/reference_order.h"

namespace flox::store {

using nix::PathInfo;
using nix::StorePath;
using nix::StorePathSet;

namespace {

// As Nix itself creates them; the comments in the text are for whoever looks with sqlite3.
constexpr const char* schema = R"(
create table if not exists ValidPaths (
    id               integer primary key autoincrement not null,
    path             text unique not null,
    hash             text not null, -- "sha256:" and hexadecimal digits
    registrationTime integer not null,
    deriver          text,
    narSize          integer,
    ultimate         integer, -- null: false
    sigs             text, -- space-separated
    ca               text -- the content address, if the path has one
);
create table if not exists Refs (
    referrer  integer not null,
    reference integer not null,
    primary key (referrer, reference),
    foreign key (referrer) references ValidPaths(id) on delete cascade,
    foreign key (reference) references ValidPaths(id) on delete restrict
);
create index if not exists IndexReferrer on Refs(referrer);
create index if not exists IndexReference on Refs(reference);
create trigger if not exists DeleteSelfRefs before delete on ValidPaths
  begin
    delete from Refs where referrer = old.id and reference = old.id;
  end;
create table if not exists DerivationOutputs (
    drv  integer not null,
    id   text not null, -- the output's name, mostly "out"
    path text not null,
    primary key (drv, id),
    foreign key (drv) references ValidPaths(id) on delete cascade
);
create index if not exists IndexDerivationOutputs on DerivationOutputs(path);
)";

// As Nix opens it; without foreign keys, a matter of the connection, deletions would break the references.
sqlite::Options options(std::chrono::milliseconds lock_timeout) {
  return {
      .name = "store database",
      .lock_timeout = lock_timeout,
      .pragmas = "pragma foreign_keys = 1; pragma synchronous = normal; pragma wal_autocheckpoint = 40000",
      .locked_advice = "store_lock_timeout says how long to wait (flox config --explain).",
      .full_advice = "'flox store gc' frees what nothing uses.",
      .unwritable_advice = "Are you the user who owns the store?"};
}

// With the tables, made if they are missing.
struct StoreConnection : sqlite::Connection {
  StoreConnection(const std::filesystem::path& file, std::chrono::milliseconds lock_timeout)
      : Connection(file, options(lock_timeout)) {
    if (sqlite::Query(*this, "select 1 from sqlite_master where name = 'ValidPaths'").next()) return;
    sqlite::Transaction transaction(*this);
    execute(schema);
    transaction.commit();
  }
};

// Commits reach the disk before they return, while the object lives.
class SyncedCommits {
 public:
  explicit SyncedCommits(sqlite::Connection& connection) : connection_(connection) {
    connection.execute("pragma synchronous = full");
  }
  SyncedCommits(const SyncedCommits&) = delete;
  SyncedCommits& operator=(const SyncedCommits&) = delete;
  ~SyncedCommits() { connection_.attempt("pragma synchronous = normal"); }

 private:
  sqlite::Connection& connection_;
};

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> words;
  for (size_t start = 0; start < text.size();) {
    const size_t end = std::min(text.find(' ', start), text.size());
    if (end > start) words.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return words;
}

std::string join(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, " ")); }

// Whether there has been no warning of this row yet: one per process is enough, of not more than a hundred
// rows.
bool is_first_warning(std::string_view path) {
  static std::mutex mutex;
  static std::set<std::string, std::less<>> said;
  const std::lock_guard lock(mutex);
  return said.size() < 100 && said.emplace(path).second;
}

// A row that we would not have written: another program's, or damage.
void warn_of(std::string_view path, std::string_view why) {
  if (!is_first_warning(path)) return;
  log::warning(
      "the store's database has the row '{}', which is not a store path ({}): it and what it refers to are "
      "left alone",
      printable(path), printable(why));
}

// Nothing for a row whose path is none of ours.
std::optional<StorePath> parse_row(std::string_view path) {
  try {
    return StorePath::parse(path);
  } catch (const Error& error) {
    warn_of(path, error.what());
    return std::nullopt;
  }
}

// The contents of what is in the store are known by its NAR hash: an odd address counts as none.
std::optional<nix::ContentAddress> parse_address(const std::string& text, const StorePath& path) {
  try {
    return nix::ContentAddress::parse(text);
  } catch (const Error& error) {
    if (is_first_warning(path.to_string()))
      log::warning("the store's database: {}: {}: it counts as no address", path.to_string(),
                   printable(error.what()));
    return std::nullopt;
  }
}

// Sizes and times of rows are whatever somebody wrote.
uint64_t size_of(int64_t number) {
  return number < 0 ? 0 : std::min<uint64_t>(static_cast<uint64_t>(number), 1ULL << 50);
}

// The ids that were met. Rows have small ids, one after the other; an odd one may have any.
class IdSet {
 public:
  // Whether it is new.
  bool insert(int64_t id) {
    if (id < 0 || id >= dense) return odd_.insert(id).second;
    const auto index = static_cast<size_t>(id);
    if (index >= seen_.size()) seen_.resize(std::max(index + 1, 2 * seen_.size()));
    const bool fresh = !seen_[index];
    seen_[index] = true;
    return fresh;
  }

 private:
  static constexpr int64_t dense = 1 << 26;
  std::vector<bool> seen_;  // by id
  std::unordered_set<int64_t> odd_;
};

// Calls `body` for each row of these ids, which are sorted. Neighbours are read together: `statement` gives
// the rows of a range of ids, with the id as their first column.
template <typename Body>
void for_each_row(sqlite::Statement& statement, const std::vector<int64_t>& ids, const Body& body) {
  constexpr uint64_t widest_gap = 8;  // passing over so many rows is cheaper than beginning anew
  for (auto first = ids.begin(); first != ids.end();) {
    auto end = first + 1;
    // Unsigned, as the ids of odd rows may be further apart than an int64_t can say.
    auto gap = [](int64_t low, int64_t high) {
      return static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
    };
    while (end != ids.end() && gap(*(end - 1), *end) <= widest_gap) ++end;
    auto row = statement.use();
    row.bind(*first).bind(*(end - 1));
    if (gap(*first, *(end - 1)) == static_cast<uint64_t>(end - first - 1)) {
      while (row.next()) body(row);
    } else {
      for (auto id = first; row.next();) {
        while (*id < row.number(0)) ++id;
        if (*id == row.number(0)) body(row);
      }
    }
    first = end;
  }
}

}  // namespace

struct Database::State {
  State(const std::filesystem::path& file, std::chrono::milliseconds lock_timeout)
      : connection(file, lock_timeout) {}

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
      all = split(row.text(6));
    }
    const size_t before = all.size();
    for (const std::string& signature : signatures)
      if (std::ranges::find(all, signature) == all.end()) all.push_back(signature);
    if (all.size() != before) sign.use().bind(join(all)).bind(id).run();
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
        .bind_optional(join(info.signatures))
        .bind_optional(info.content_address ? info.content_address->to_string() : std::string())
        .run();
    return true;
  }
};

Database::Database(const std::filesystem::path& file, std::chrono::milliseconds lock_timeout)
    : state_(std::make_unique<State>(file, lock_timeout)) {}
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
    if (const std::string deriver = row.text(3); !deriver.empty()) info.deriver = parse_row(deriver);
    info.nar_size = size_of(row.number(4));
    info.ultimate = row.number(5) != 0;
    info.signatures = split(row.text(6));
    if (const std::string address = row.text(7); !address.empty())
      info.content_address = parse_address(address, path);
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
    if (auto path = parse_row(row.view(0))) paths.insert(std::move(*path));
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
    if (auto path = parse_row(row.view(0))) return path;
  return std::nullopt;
}

ReferenceGraph Database::references() const {
  const std::lock_guard lock(state_->mutex);
  const sqlite::Transaction one_moment(state_->connection, sqlite::Transaction::Kind::read);
  ReferenceGraph::Builder builder;
  {
    auto row = state_->nodes.use();
    while (row.next()) {
      if (auto path = parse_row(row.view(1)))
        builder.add_node(row.number(0), {.path = std::move(*path),
                                         .nar_size = size_of(row.number(2)),
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

// Row by row: a recursive query of SQLite's takes twice as long, for it keeps what it has seen in a tree.
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
    if (auto path = parse_row(row.view(1))) found.push_back(std::move(*path));
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
