#include "ticket/worker/worker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "ticket/event_log.h"
#include "ticket/worker/notification.h"

namespace ticket {
namespace {

using flox::ErrorKind;
using nlohmann::json;
using nlohmann::ordered_json;
using namespace std::chrono_literals;

// What a test throws to have a worker die on the spot.
struct Died {};

// A queue whose clock the test turns: hidden messages stay so until `wake`.
class MemoryQueue : public Queue {
 public:
  struct Entry {
    Message message;
    bool visible = true;
    std::vector<std::chrono::seconds> hidden_for;  // by set_visibility
  };
  QueueTraits traits() override { return traits_; }
  std::vector<Message> receive(int most, std::chrono::seconds, std::optional<std::chrono::seconds>,
                               const std::function<bool()>&) override {
    std::lock_guard lock(mutex);
    std::vector<Message> result;
    for (auto& [id, entry] : entries) {
      if (!entry.visible || static_cast<int>(result.size()) == most) continue;
      entry.visible = false;
      ++entry.message.receive_count;
      entry.message.receipt = id;
      result.push_back(entry.message);
    }
    return result;
  }
  void remove(const std::string& receipt) override {
    if (on_remove) on_remove();
    std::lock_guard lock(mutex);
    entries.erase(receipt);
  }
  void set_visibility(const std::vector<std::string>& receipts, std::chrono::seconds time) override {
    std::lock_guard lock(mutex);
    for (const std::string& receipt : receipts) {
      auto found = entries.find(receipt);
      if (found == entries.end()) continue;
      found->second.hidden_for.push_back(time);
      if (time == 0s) found->second.visible = true;
    }
    changed.notify_all();
  }
  void send(const std::string& body) override {
    std::lock_guard lock(mutex);
    std::string id = fmt::format("m{:03}", ++sent_);
    entries[id].message = {.id = id, .body = body, .receive_count = 0, .sent_at = std::nullopt};
  }
  void wake() {
    for (auto& [id, entry] : entries) entry.visible = true;
  }
  size_t visible() {
    return static_cast<size_t>(
        std::ranges::count_if(entries, [](const auto& pair) { return pair.second.visible; }));
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, Entry> entries;
  std::function<void()> on_remove;
  QueueTraits traits_;

 private:
  int sent_ = 0;
};

class MemoryStore : public ObjectStore {
 public:
  void check_bucket(const std::string&) override {}
  std::optional<std::string> get(const std::string& bucket, const std::string& key, size_t) override {
    if (on_get) on_get(key);
    auto found = objects.find(bucket + "/" + key);
    return found == objects.end() ? std::nullopt : std::optional(found->second);
  }
  void put(const std::string& bucket, const std::string& key, const std::string& content) override {
    objects[bucket + "/" + key] = content;
    ++writes;
  }
  bool put_if_absent(const std::string& bucket, const std::string& key, const std::string& content) override {
    if (objects.contains(bucket + "/" + key)) return false;
    put(bucket, key, content);
    return true;
  }
  std::map<std::string, std::string> objects;
  std::function<void(const std::string& key)> on_get;
  int writes = 0;
};

class MemoryTable : public Table {
 public:
  void check() override {}
  bool put_if_absent(const ordered_json& item) override {
    if (on_put) on_put();
    return items.emplace(item.at("ticket_id").get<std::string>(), item).second;
  }
  std::map<std::string, ordered_json> items;
  std::function<void()> on_put;
};

class WorkerTest : public testing::Test {
 protected:
  WorkerTest() {
    settings_.poll_wait = 0s;
    set_log_level(Level::error);
  }
  void put_raw(const std::string& id, int created_at = 1732300000) {
    json ticket = {{"ticket_id", id},
                   {"subject", "Cannot login"},
                   {"body", "error"},
                   {"created_at", created_at},
                   {"customer_id", "C"}};
    store_.objects["tickets-raw/" + id + ".json"] = ticket.dump();
  }
  void send_ticket(const std::string& id) {
    put_raw(id);
    queue_.send(s3_event("tickets-raw", id + ".json", 1));
  }
  // A worker of its own, as a new process would be.
  Summary work(Limits limits = {.once = true}) {
    Stop own(0s);
    return work(limits, own);
  }
  Summary work(Limits limits, Stop& stop) {
    Worker worker(settings_, queue_.traits(),
                  {.queue = queue_, .store = store_, .table = table_, .metrics = metrics_, .stop = stop});
    return worker.run(limits);
  }
  std::string metric(const std::string& name) {
    std::string text = metrics_.text();
    size_t at = text.find("\n" + name + " ");
    if (at == std::string::npos) return "";
    at += name.size() + 2;
    return text.substr(at, text.find('\n', at) - at);
  }

  Settings settings_;
  MemoryQueue queue_;
  MemoryStore store_;
  MemoryTable table_;
  Metrics metrics_{"0.1.0"};
};

TEST_F(WorkerTest, StoresEveryTicketAndEmptiesTheQueue) {
  for (int i = 0; i < 25; ++i) send_ticket("T-" + std::to_string(i));
  Summary summary = work({.until_empty = true});
  EXPECT_EQ(summary.processed, 25);
  EXPECT_EQ(table_.items.size(), 25u);
  EXPECT_TRUE(queue_.entries.empty());
  auto object = json::parse(store_.objects.at("tickets-enriched/T-3.json"));
  EXPECT_EQ(object["enrichment"]["intent"], "login_issue");
  EXPECT_EQ(table_.items.at("T-3")["s3_key"], "T-3.json");
  EXPECT_EQ(metric("ticket_processed_total"), "25");
}

TEST_F(WorkerTest, FinishesATicketWhoseWorkerDiedBetweenObjectAndItem) {
  send_ticket("T");
  table_.on_put = [] { throw Died(); };
  EXPECT_THROW(work(), Died);
  std::string object = store_.objects.at("tickets-enriched/T.json");
  ASSERT_TRUE(table_.items.empty());
  table_.on_put = nullptr;
  queue_.wake();
  EXPECT_EQ(work().processed, 1);
  EXPECT_EQ(store_.objects.at("tickets-enriched/T.json"), object) << "the object was written twice";
  EXPECT_EQ(table_.items.at("T")["processed_at"], json::parse(object)["enrichment"]["processed_at"]);
  EXPECT_TRUE(queue_.entries.empty());
}

TEST_F(WorkerTest, CountsATicketAsDuplicateWhoseWorkerDiedBeforeTheDeletion) {
  send_ticket("T");
  queue_.on_remove = [] { throw Died(); };
  EXPECT_THROW(work(), Died);
  int writes = store_.writes;
  queue_.on_remove = nullptr;
  queue_.wake();
  Summary summary = work();
  EXPECT_EQ(summary.processed, 0);
  EXPECT_EQ(summary.duplicates, 1);
  EXPECT_EQ(store_.writes, writes);
  EXPECT_TRUE(queue_.entries.empty());
  EXPECT_EQ(metric("ticket_duplicates_total"), "1");
}

TEST_F(WorkerTest, HandlesEachRecordOfAMessageForItself) {
  put_raw("A");
  put_raw("B");
  queue_.send(R"({"Records":[{"key":"A.json"},{"key":"missing.json"},{"nonsense":1},{"key":"B.json"}]})");
  Summary summary = work();
  EXPECT_EQ(summary.processed, 2);
  EXPECT_EQ(summary.failed, 2);
  EXPECT_EQ(queue_.entries.size(), 1u) << "the message must stay until all of it is done";
  put_raw("missing");
  queue_.wake();
  summary = work();
  EXPECT_EQ(summary.duplicates, 2);
  EXPECT_EQ(summary.processed, 1);
}

TEST_F(WorkerTest, MovesAMessageAsideThatCannotBeProcessedWithoutADeadLetterQueue) {
  queue_.send("nonsense \xff");
  for (int i = 1; i <= 4; ++i) {
    work();
    EXPECT_EQ(queue_.entries.size(), 1u);
    queue_.wake();
  }
  EXPECT_THAT(queue_.entries.begin()->second.hidden_for, testing::ElementsAre(5s, 10s, 20s, 40s));
  work();
  EXPECT_TRUE(queue_.entries.empty());
  auto kept = json::parse(store_.objects.at("tickets-enriched/failed/m001.json"));
  EXPECT_EQ(kept["receive_count"], 5);
  EXPECT_THAT(kept["error"], testing::HasSubstr("not JSON"));
  EXPECT_THAT(kept["body"], testing::HasSubstr("nonsense"));
  EXPECT_EQ(metric("ticket_messages_moved_aside_total"), "1");
  EXPECT_EQ(metric("ticket_failed_total{reason=\"message\"}"), "5");
}

TEST_F(WorkerTest, LeavesPoisonToTheRedrivePolicyOfAQueueThatHasOne) {
  queue_.traits_.has_dead_letter_queue = true;
  queue_.send("nonsense");
  for (int i = 0; i < 8; ++i) work(), queue_.wake();
  EXPECT_EQ(queue_.entries.size(), 1u);
  EXPECT_TRUE(store_.objects.empty());
}

TEST_F(WorkerTest, NeverGivesATicketUpBecauseAServiceIsDown) {
  send_ticket("T");
  table_.on_put = [] { flox::fail(ErrorKind::unavailable, "down"); };
  for (int i = 0; i < 8; ++i) work(), queue_.wake();
  EXPECT_EQ(queue_.entries.size(), 1u);
  EXPECT_FALSE(store_.objects.contains("tickets-enriched/failed/m001.json"));
  table_.on_put = nullptr;
  EXPECT_EQ(work().processed, 1);
}

TEST_F(WorkerTest, RejectsTicketsThatBreakTheSchemaAndThoseThatDoNotExist) {
  store_.objects["tickets-raw/bad.json"] = R"({"ticket_id":"X"})";
  queue_.send(s3_event("tickets-raw", "bad.json", 1));
  queue_.send(s3_event("tickets-raw", "gone.json", 1));
  EXPECT_EQ(work().failed, 2);
  EXPECT_EQ(metric("ticket_failed_total{reason=\"schema\"}"), "1");
  EXPECT_EQ(metric("ticket_failed_total{reason=\"object_missing\"}"), "1");
  EXPECT_TRUE(table_.items.empty());
}

TEST_F(WorkerTest, DoesNotReplaceAnotherTicketOfTheSameId) {
  send_ticket("T");
  work();
  std::string object = store_.objects.at("tickets-enriched/T.json");
  put_raw("T", 99);
  queue_.send(s3_event("tickets-raw", "T.json", 1));
  EXPECT_EQ(work().failed, 1);
  EXPECT_EQ(store_.objects.at("tickets-enriched/T.json"), object);
  EXPECT_EQ(metric("ticket_failed_total{reason=\"id_conflict\"}"), "1");
}

TEST_F(WorkerTest, ReplacesAnObjectThatIsNoEnrichedTicket) {
  store_.objects["tickets-enriched/T.json"] = "{\"ticket_id\":";
  send_ticket("T");
  EXPECT_EQ(work().processed, 1);
  EXPECT_EQ(json::parse(store_.objects.at("tickets-enriched/T.json"))["ticket_id"], "T");
}

TEST_F(WorkerTest, DeletesMessagesThatAskForNothing) {
  queue_.send(R"({"Event":"s3:TestEvent"})");
  queue_.send("{}");
  Summary summary = work();
  EXPECT_EQ(summary.failed, 0);
  EXPECT_TRUE(queue_.entries.empty());
  EXPECT_EQ(metric("ticket_messages_ignored_total"), "2");
}

TEST_F(WorkerTest, ReturnsTheRestToTheQueueWhenItIsStoppedWithoutGrace) {
  for (int i = 0; i < 10; ++i) send_ticket("T-" + std::to_string(i));
  Stop stop(0s);
  int gets = 0;
  store_.on_get = [&](const std::string&) {
    if (++gets == 3) stop.request();
  };
  Summary summary = work({}, stop);
  EXPECT_EQ(summary.processed, 3);
  EXPECT_EQ(summary.returned, 7);
  EXPECT_EQ(queue_.visible(), 7u);
  EXPECT_EQ(summary.failed, 0);
}

TEST_F(WorkerTest, ReturnsATicketWhoseCallsWereCutOffByTheEndOfTheGrace) {
  send_ticket("T");
  Stop stop(0s);
  store_.on_get = [&](const std::string&) {
    stop.request();
    flox::fail(ErrorKind::unavailable, "cancelled");
  };
  Summary summary = work({}, stop);
  EXPECT_EQ(summary.failed, 0);
  EXPECT_EQ(queue_.visible(), 1u);
}

TEST_F(WorkerTest, FinishesWhatIsInHandWithinTheGrace) {
  for (int i = 0; i < 20; ++i) send_ticket("T-" + std::to_string(i));
  Stop stop(60s);
  store_.on_get = [&](const std::string&) {
    if (!stop.requested()) stop.request();
  };
  Summary summary = work({}, stop);
  EXPECT_EQ(summary.processed, 10) << "the batch in hand, and no further one";
  EXPECT_EQ(queue_.visible(), 10u);
}

TEST_F(WorkerTest, StopsAfterTheGivenNumberOfTickets) {
  for (int i = 0; i < 10; ++i) send_ticket("T-" + std::to_string(i));
  EXPECT_EQ(work({.max_tickets = 4}).processed, 4);
  EXPECT_EQ(queue_.visible(), 6u);
}

TEST(VisibilityKeeper, HidesWhatIsInHandAgainAndAgainUntilItIsLetGo) {
  MemoryQueue queue;
  queue.send("x");
  auto messages = queue.receive(1, 0s, std::nullopt, nullptr);
  VisibilityKeeper keeper(queue, 30ms);
  keeper.hold(messages);
  {
    std::unique_lock lock(queue.mutex);
    EXPECT_TRUE(
        queue.changed.wait_for(lock, 10s, [&] { return queue.entries.at("m001").hidden_for.size() >= 3; }));
  }
  keeper.let_go({"m001"});
  EXPECT_EQ(keeper.held(), 0u);
}

}  // namespace
}  // namespace ticket
