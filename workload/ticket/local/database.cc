#include "ticket/local/database.h"

#include <chrono>

namespace ticket::local {

namespace {

// docs/reference/ticket-workload.md describes them.
constexpr const char* schema = R"(
create table if not exists queue (
    name              text primary key not null,
    visibility        integer not null, -- seconds
    dead_letter_queue text,             -- where messages go that were received max_receives times
    max_receives      integer
);
create table if not exists message (
    number        integer primary key autoincrement not null,
    queue         text not null references queue(name),
    id            text unique not null,
    body          text not null,
    sent_at       integer not null, -- milliseconds since 1970
    visible_at    integer not null, -- milliseconds since 1970
    receive_count integer not null default 0,
    receipt       text              -- of the latest delivery
);
create index if not exists message_by_visibility on message(queue, visible_at);
create table if not exists item_table (
    name text primary key not null
);
create table if not exists item (
    item_table text not null references item_table(name),
    ticket_id  text not null,
    created_at integer not null,
    item       text not null, -- JSON
    primary key (item_table, ticket_id, created_at)
) without rowid;
)";

// After a power cut the log's end may be lost, but never something before something else: no deletion of a
// message outlives the item that went before it.
flox::sqlite::Options options() {
  return {.name = "the local backend's database",
          .lock_timeout = std::chrono::seconds(30),
          .pragmas = "pragma synchronous = normal"};
}

}  // namespace

Database::Database(const std::filesystem::path& file) : connection_(file, options()) {
  connection_.execute(schema);
}

Database::Use::Use(Database& database, bool write) : database_(database), lock_(database.mutex_) {
  if (write) transaction_.emplace(database.connection_);
}

int64_t now_in_milliseconds() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace ticket::local
