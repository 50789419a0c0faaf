#include "store/peers/public_paths.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "base/data/sqlite.h"
#include "base/error.h"
#include "base/log.h"
#include "nix/base32.h"

namespace flox::store {
namespace {

// One row per digest: a store has one path of it.
constexpr const char* schema =
    "create table if not exists PublicPaths (digest text primary key, narHash text not null) without rowid";
constexpr auto room_pause = std::chrono::hours(1);    // looking through the whole store takes seconds
constexpr auto open_pause = std::chrono::minutes(1);  // until a list that could not be opened is tried again

sqlite::Connection& with_schema(sqlite::Connection& connection) {
  connection.execute(schema);
  return connection;
}

std::string hash_of(const nix::PathInfo& info) { return nix::to_base32(bytes_of(info.nar_hash)); }

}  // namespace

struct PublicPaths::Table {
  explicit Table(const std::filesystem::path& file) : connection(file, {.name = "list of public paths"}) {}
  sqlite::Connection connection;
  sqlite::Statement count{with_schema(connection), "select count(*) from PublicPaths"};
  sqlite::Statement find{connection, "select 1 from PublicPaths where digest = ? and narHash = ?"};
  sqlite::Statement known{connection, "select 1 from PublicPaths where digest = ?"};
  sqlite::Statement insert{connection, "insert or replace into PublicPaths values (?, ?)"};
  sqlite::Statement digests{connection, "select digest from PublicPaths"};
  sqlite::Statement remove{connection, "delete from PublicPaths where digest = ?"};
};

PublicPaths::PublicPaths(std::filesystem::path file, IsThere is_there, size_t most)
    : file_(std::move(file)), is_there_(std::move(is_there)), most_(most) {
  open();
}

PublicPaths::~PublicPaths() = default;

void PublicPaths::open() {
  try {
    read();
    return;
  } catch (const Error& error) {
    table_.reset();
    log::warning("which paths are public cannot be read: {}", error.what());
    if (error.kind() == ErrorKind::unavailable) return try_later();
  }
  std::error_code ignored;
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(file_.string() + suffix, ignored);
  try {
    read();
  } catch (const Error& error) {
    table_.reset();
    try_later();
    log::error("other nodes are told of no path: which ones are public cannot be kept in {}: {}",
               file_.string(), error.what());
  }
}

void PublicPaths::read() {
  table_ = std::make_unique<Table>(file_);
  auto row = table_->count.use();
  row.next();
  count_ = static_cast<size_t>(row.number(0));
}

void PublicPaths::try_later() { open_again_ = std::chrono::steady_clock::now() + open_pause; }

bool PublicPaths::contains(const nix::PathInfo& info) const {
  const std::lock_guard lock(mutex_);
  if (!table_) return false;
  try {
    auto row = table_->find.use();
    return row.bind(info.path.digest()).bind(hash_of(info)).next();
  } catch (const Error& error) {
    if (!std::exchange(has_warned_, true))
      log::warning("other nodes are told of no path: which ones are public cannot be read: {}", error.what());
    return false;
  }
}

void PublicPaths::add(const std::vector<nix::PathInfo>& infos) {
  const std::lock_guard lock(mutex_);
  if (infos.empty()) return;
  if (!table_ && std::chrono::steady_clock::now() >= open_again_) open();
  if (!table_) return;
  try {
    if (count_ + infos.size() > most_) make_room();
    insert(infos);
  } catch (const Error& error) {
    log::warning("other nodes are not told of {} paths: that they are public cannot be written: {}",
                 infos.size(), error.what());
  }
}

void PublicPaths::insert(const std::vector<nix::PathInfo>& infos) {
  sqlite::Transaction transaction(table_->connection);
  size_t count = count_;
  for (const nix::PathInfo& info : infos) {
    if (!table_->known.use().bind(info.path.digest()).next()) {
      if (count == most_) continue;
      ++count;
    }
    table_->insert.use().bind(info.path.digest()).bind(hash_of(info)).run();
  }
  transaction.commit();
  count_ = count;
}

void PublicPaths::make_room() {
  const auto now = std::chrono::steady_clock::now();
  if (made_room_ && now - *made_room_ < room_pause) return;
  std::vector<std::string> gone;
  {
    auto row = table_->digests.use();
    while (row.next())
      if (std::string digest = row.text(0); !is_there_(digest)) gone.push_back(std::move(digest));
  }
  sqlite::Transaction transaction(table_->connection);
  for (const std::string& digest : gone) table_->remove.use().bind(digest).run();
  transaction.commit();
  count_ -= gone.size();
  made_room_ = now;
  if (gone.empty())
    log::warning("more than {} paths of the store are public: other nodes are not told of more", most_);
}

}  // namespace flox::store
