#include "ticket/local/local_queue.h"

#include <algorithm>
#include <charconv>
#include <thread>

#include "base/error.h"

namespace ticket::local {

using flox::ErrorKind;
using namespace std::chrono_literals;

namespace {

// How often a long poll looks: what a new message waits for at most, and cheap: one read of an index.
constexpr auto look_interval = 10ms;

// "17.9f…": the message's number and what is particular to one delivery.
struct Receipt {
  int64_t number = 0;
  std::string delivery;
};

Receipt parse_receipt(const std::string& text) {
  Receipt receipt;
  const char* end = text.data() + text.size();
  auto [dot, error] = std::from_chars(text.data(), end, receipt.number);
  if (error != std::errc() || dot == end || *dot != '.')
    flox::fail(ErrorKind::invalid_input, "'{}' is not a receipt of a local queue", text);
  receipt.delivery.assign(dot + 1, end);
  return receipt;
}

int64_t milliseconds(std::chrono::seconds time) { return std::chrono::milliseconds(time).count(); }

void insert_queue(Database::Use& use, const std::string& name, std::chrono::seconds visibility) {
  use.statement("insert or ignore into queue (name, visibility) values (?, ?)")
      .bind(name)
      .bind(visibility.count())
      .run();
}

}  // namespace

void create_queue(Database& database, const Resources& wanted) {
  auto use = database.write();
  insert_queue(use, wanted.queue, wanted.visibility);
  if (!wanted.dead_letter_queue.empty()) {
    insert_queue(use, wanted.dead_letter_queue, wanted.visibility);
    use.statement("update queue set dead_letter_queue = ?, max_receives = ? where name = ?")
        .bind(wanted.dead_letter_queue)
        .bind(wanted.max_receives)
        .bind(wanted.queue)
        .run();
  }
  use.commit();
}

struct LocalQueue::Row {
  std::chrono::seconds visibility;
  std::string dead_letter_queue;
  int64_t max_receives;
};

LocalQueue::Row LocalQueue::row(Database::Use& use) {
  auto found = use.statement("select visibility, dead_letter_queue, max_receives from queue where name = ?");
  if (!found.bind(name_).next())
    throw flox::Error(ErrorKind::not_found, "there is no queue " + name_,
                      "Run 'ticket-generator --backend … --create-resources' to create it.");
  return {std::chrono::seconds(found.number(0)), found.text(1), found.number(2)};
}

QueueTraits LocalQueue::traits() {
  auto use = database_->read();
  Row queue = row(use);
  return {.visibility = std::max(1s, queue.visibility),
          .has_dead_letter_queue = !queue.dead_letter_queue.empty()};
}

QueueDepth LocalQueue::depth() {
  auto use = database_->read();
  auto counts = use.statement(
      "select coalesce(sum(visible_at <= ?), 0), coalesce(sum(visible_at > ?), 0) from message where queue = "
      "?");
  int64_t now = now_in_milliseconds();
  counts.bind(now).bind(now).bind(name_).next();
  return {.waiting = counts.number(0), .hidden = counts.number(1)};
}

bool LocalQueue::something_is_visible() {
  auto use = database_->read();
  return use.statement("select 1 from message where queue = ? and visible_at <= ? limit 1")
      .bind(name_)
      .bind(now_in_milliseconds())
      .next();
}

std::vector<Message> LocalQueue::take(int most, std::optional<std::chrono::seconds> visibility) {
  auto use = database_->write();
  Row queue = row(use);
  int64_t now = now_in_milliseconds();
  if (!queue.dead_letter_queue.empty())
    use.statement(
           "update message set queue = ?, receive_count = 0, receipt = null "
           "where queue = ? and visible_at <= ? and receive_count >= ?")
        .bind(queue.dead_letter_queue)
        .bind(name_)
        .bind(now)
        .bind(queue.max_receives)
        .run();
  // A body of more than 256 KiB, SQS's limit, is refused anyhow: no more of it need be read.
  auto taken = use.statement(
      "update message set visible_at = ?, receive_count = receive_count + 1, receipt = "
      "lower(hex(randomblob(8))) "
      "where number in (select number from message where queue = ? and visible_at <= ? order by number limit "
      "?) "
      "returning number, receipt, id, substr(body, 1, 262145), receive_count, sent_at");
  taken.bind(now + milliseconds(visibility.value_or(queue.visibility))).bind(name_).bind(now).bind(most);
  std::vector<Message> messages;
  while (taken.next())
    messages.push_back(
        {.id = taken.text(2),
         .receipt = fmt::format("{}.{}", taken.number(0), taken.text(1)),
         .body = taken.text(3),
         .receive_count = static_cast<int>(taken.number(4)),
         .sent_at = std::chrono::system_clock::time_point(std::chrono::milliseconds(taken.number(5)))});
  use.commit();
  return messages;
}

std::vector<Message> LocalQueue::receive(int most, std::chrono::seconds wait,
                                         std::optional<std::chrono::seconds> visibility,
                                         const CancelCheck& cancelled) {
  auto deadline = std::chrono::steady_clock::now() + wait;
  for (;;) {
    if ((cancelled && cancelled()) || (cancelled_ && cancelled_()))
      flox::fail(ErrorKind::unavailable, "waiting for messages was cut off");
    if (something_is_visible())
      if (auto messages = take(most, visibility); !messages.empty()) return messages;
    if (std::chrono::steady_clock::now() >= deadline) return {};
    std::this_thread::sleep_for(look_interval);
  }
}

void LocalQueue::remove(const std::string& receipt) {
  Receipt wanted = parse_receipt(receipt);
  auto use = database_->write();
  use.statement("delete from message where number = ? and receipt = ?")
      .bind(wanted.number)
      .bind(wanted.delivery)
      .run();
  use.commit();
}

void LocalQueue::set_visibility(const std::vector<std::string>& receipts, std::chrono::seconds time) {
  auto use = database_->write();
  for (const std::string& receipt : receipts) {
    Receipt wanted = parse_receipt(receipt);
    // What was given back is nobody's: its receipt ends.
    use.statement(
           "update message set visible_at = ?, receipt = case when ? then receipt end "
           "where number = ? and receipt = ?")
        .bind(now_in_milliseconds() + milliseconds(time))
        .bind(time > 0s ? 1 : 0)
        .bind(wanted.number)
        .bind(wanted.delivery)
        .run();
  }
  use.commit();
}

void LocalQueue::send(const std::string& body) {
  auto use = database_->write();
  row(use);  // it must be there
  int64_t now = now_in_milliseconds();
  use.statement(
         "insert into message (queue, id, body, sent_at, visible_at) values (?, lower(hex(randomblob(16))), "
         "?, ?, ?)")
      .bind(name_)
      .bind(body)
      .bind(now)
      .bind(now)
      .run();
  use.commit();
}

}  // namespace ticket::local
