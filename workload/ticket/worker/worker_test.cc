#include "ticket/worker/worker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/os/file.h"
#include "ticket/event_log.h"
#include "ticket/local/local_backend.h"
#include "ticket/testing/fake_backend.h"
#include "ticket/testing/fake_models.h"
#include "ticket/testing/hooked_backend.h"
#include "ticket/testing/hostile_texts.h"
#include "ticket/worker/notification.h"

namespace ticket {
namespace {

using flox::ErrorKind;
using nlohmann::json;
using nlohmann::ordered_json;
using testing::AllOf;
using testing::ElementsAre;
using testing::Ge;
using testing::HasSubstr;
using testing::Le;
using namespace std::chrono_literals;

// What a test throws to have a worker die on the spot.
struct Died {};

// A backend that a test can look into.
class World {
 public:
  virtual ~World() = default;
  virtual Queue& queue() = 0;
  virtual ObjectStore& objects() = 0;
  virtual Table& table() = 0;
  virtual void wake() = 0;  // every hidden message is visible again
  virtual void add_dead_letter_queue(int max_receives) = 0;
  virtual std::map<std::string, ordered_json> items() = 0;
};

class FakeWorld : public World {
 public:
  Queue& queue() override { return queue_; }
  ObjectStore& objects() override { return objects_; }
  Table& table() override { return table_; }
  void wake() override { queue_.wake(); }
  void add_dead_letter_queue(int) override { queue_.set_traits({.has_dead_letter_queue = true}); }
  std::map<std::string, ordered_json> items() override { return table_.items(); }

 private:
  FakeQueue queue_;
  FakeObjects objects_;
  FakeTable table_;
};

class LocalWorld : public World {
 public:
  LocalWorld() { backend_.create(resources_, nullptr); }
  Queue& queue() override { return *queue_; }
  ObjectStore& objects() override { return *objects_; }
  Table& table() override { return *table_; }
  void wake() override {
    auto use = database_.write();
    use.statement("update message set visible_at = 0").run();
    use.commit();
  }
  void add_dead_letter_queue(int max_receives) override {
    resources_.dead_letter_queue = "dead";
    resources_.max_receives = max_receives;
    backend_.create(resources_, nullptr);
  }
  std::map<std::string, ordered_json> items() override {
    std::map<std::string, ordered_json> result;
    auto use = database_.read();
    auto rows = use.statement("select ticket_id, item from item");
    while (rows.next()) result[rows.text(0)] = ordered_json::parse(rows.text(1));
    return result;
  }

 private:
  flox::TempDir directory_;
  Resources resources_{
      .queue = "q", .raw_bucket = "tickets-raw", .enriched_bucket = "tickets-enriched", .table = "t"};
  local::LocalBackend backend_{directory_.path()};
  local::Database database_{directory_.path() / "tickets.sqlite"};
  std::unique_ptr<Queue> queue_ = backend_.queue("q", nullptr);
  std::unique_ptr<ObjectStore> objects_ = backend_.store(nullptr);
  std::unique_ptr<Table> table_ = backend_.table("t", nullptr);
};

std::unique_ptr<World> make_world(const std::string& kind) {
  if (kind == "Fake") return std::make_unique<FakeWorld>();
  return std::make_unique<LocalWorld>();
}

// Every test runs with the fake backend and with the real one of a directory.
class WorkerTest : public testing::TestWithParam<std::string> {
 protected:
  WorkerTest() {
    settings_.poll_wait = 0s;
    set_log_level(static_cast<Level>(4));
    queue_.on_message = [this](const Message& message) { id_ = message.id; };
  }
  void put_raw(const std::string& id, int created_at = 1732300000, const std::string& body = "error") {
    json ticket = {{"ticket_id", id},
                   {"subject", "Cannot login"},
                   {"body", body},
                   {"created_at", created_at},
                   {"customer_id", "C"}};
    world_->objects().put("tickets-raw", id + ".json", ticket.dump());
  }
  void send_ticket(const std::string& id, const std::string& body = "error") {
    put_raw(id, 1732300000, body);
    queue_.send(s3_event("tickets-raw", id + ".json", 1));
  }
  // A worker of its own, as a new process would be.
  Summary work(Limits limits = {.once = true}) {
    Stop own(0s);
    return work(limits, own);
  }
  Summary work(Limits limits, Stop& stop) {
    Worker worker(settings_, queue_.traits(),
                  {.queue = queue_,
                   .store = store_,
                   .table = table_,
                   .models = models_,
                   .metrics = metrics_,
                   .health = health_,
                   .stop = stop});
    return worker.run(limits);
  }
  void work_again() {
    world_->wake();
    work();
  }
  std::string object(const std::string& key) {
    return world_->objects().get("tickets-enriched", key, 1 << 20).value_or("");
  }
  json enrichment(const std::string& id) { return json::parse(object(id + ".json"))["enrichment"]; }
  // What is kept of the one message, whatever its id.
  std::string kept() { return object("failed/" + id_ + ".json"); }
  std::string begun() { return object("failed/" + id_ + ".begun"); }
  // The worker dies when it comes to this ticket.
  void deadly(const std::string& id) {
    store_.on_get = [this, id](const std::string& bucket, const std::string& key) {
      if (bucket == "tickets-raw") looked_at_.push_back(key);
      if (bucket == "tickets-raw" && key == id + ".json") throw Died();
    };
  }
  // Deliveries until there are no messages any more; how many workers died.
  int work_until_empty() {
    int deaths = 0;
    for (int delivery = 0; delivery < 20 && messages() > 0; ++delivery) {
      world_->wake();
      try {
        work({.until_empty = true});
      } catch (const Died&) {
        ++deaths;
      }
    }
    return deaths;
  }
  long waiting() { return queue_.depth().waiting; }
  long messages() { return queue_.depth().waiting + queue_.depth().hidden; }
  std::string metric(const std::string& name) {
    std::string text = metrics_.text();
    size_t at = text.find("\n" + name + " ");
    if (at == std::string::npos) return "";
    at += name.size() + 2;
    return text.substr(at, text.find('\n', at) - at);
  }
  const FakeCalls& embedding_calls() { return dynamic_cast<FakeEmbedding&>(*models_.embedding.model).calls; }

  std::unique_ptr<World> world_ = make_world(GetParam());
  std::string id_;  // of the message that was delivered last
  std::vector<std::string> looked_at_;
  Settings settings_;
  HookedQueue queue_{world_->queue()};
  HookedObjects store_{world_->objects()};
  HookedTable table_{world_->table()};
  Models models_ = fake_models();
  Metrics metrics_;
  Health health_;
};

INSTANTIATE_TEST_SUITE_P(On, WorkerTest, testing::Values("Fake", "Local"),
                         [](const auto& info) { return info.param; });

TEST_P(WorkerTest, StoresEveryTicketAndEmptiesTheQueue) {
  for (int i = 0; i < 25; ++i) send_ticket("T-" + std::to_string(i));
  Summary summary = work({.until_empty = true});
  EXPECT_EQ(summary.processed, 25);
  EXPECT_EQ(world_->items().size(), 25u);
  EXPECT_EQ(messages(), 0);
  EXPECT_EQ(enrichment("T-3")["intent"], "login_issue");
  EXPECT_EQ(world_->items().at("T-3")["s3_key"], "T-3.json");
  EXPECT_EQ(metric("ticket_processed_total"), "25");
  EXPECT_EQ(health_.problem(), "the models are not loaded yet") << "the queue was reached";
}

TEST_P(WorkerTest, RunsTheTicketsOfOnePollThroughTheModelsTogether) {
  for (int i = 0; i < 25; ++i) send_ticket("T-" + std::to_string(i));
  work({.until_empty = true});
  EXPECT_THAT(embedding_calls().sizes, ElementsAre(10, 10, 5));
  EXPECT_EQ(enrichment("T-3")["sentiment"], "NEGATIVE");
  EXPECT_EQ(enrichment("T-3")["model_version"], "rules-1 embedding@1 sentiment@2 summary@3");
  EXPECT_EQ(world_->items().at("T-3")["summary"], "Cannot login");
  EXPECT_EQ(metric("ticket_batch_tickets_count"), "3");
  EXPECT_EQ(metric("ticket_stage_seconds_count{stage=\"embedding\"}"), "3");
}

TEST_P(WorkerTest, LosesOnlyTheTicketThatAModelCannotTake) {
  for (const char* id : {"A", "B", "C"}) send_ticket(id, id == std::string("B") ? "[unreadable]" : "error");
  Summary summary = work();
  EXPECT_EQ(summary.processed, 2);
  EXPECT_EQ(summary.failed, 1);
  EXPECT_EQ(messages(), 1);
  EXPECT_TRUE(world_->items().contains("A") && world_->items().contains("C"));
}

TEST_P(WorkerTest, FinishesATicketWhoseWorkerDiedBetweenObjectAndItem) {
  send_ticket("T");
  table_.on_put = [] { throw Died(); };
  EXPECT_THROW(work(), Died);
  std::string before = object("T.json");
  ASSERT_TRUE(world_->items().empty());
  ASSERT_NE(before, "");
  table_.on_put = nullptr;
  size_t embedded = embedding_calls().texts.size();
  world_->wake();
  EXPECT_EQ(work().processed, 1);
  EXPECT_EQ(object("T.json"), before) << "the object was written twice";
  EXPECT_EQ(world_->items().at("T")["processed_at"], json::parse(before)["enrichment"]["processed_at"]);
  EXPECT_EQ(embedding_calls().texts.size(), embedded) << "the models worked again for nothing";
  EXPECT_EQ(messages(), 0);
}

TEST_P(WorkerTest, CountsATicketAsDuplicateWhoseWorkerDiedBeforeTheDeletion) {
  send_ticket("T");
  queue_.on_remove = [] { throw Died(); };
  EXPECT_THROW(work(), Died);
  int writes = store_.writes;
  queue_.on_remove = nullptr;
  world_->wake();
  Summary summary = work();
  EXPECT_EQ(summary.processed, 0);
  EXPECT_EQ(summary.duplicates, 1);
  EXPECT_EQ(store_.writes, writes);
  EXPECT_EQ(messages(), 0);
  EXPECT_EQ(metric("ticket_duplicates_total"), "1");
}

TEST_P(WorkerTest, StoresATicketOnceThatOnePollBringsTwice) {
  send_ticket("T");
  queue_.send(s3_event("tickets-raw", "T.json", 1));
  Summary summary = work();
  EXPECT_EQ(summary.processed, 1);
  EXPECT_EQ(summary.duplicates, 1);
  EXPECT_EQ(store_.writes, 1);
  EXPECT_EQ(messages(), 0);
}

TEST_P(WorkerTest, HandlesEachRecordOfAMessageForItself) {
  put_raw("A");
  put_raw("B");
  queue_.send(R"({"Records":[{"key":"A.json"},{"key":"missing.json"},{"nonsense":1},{"key":"B.json"}]})");
  Summary summary = work();
  EXPECT_EQ(summary.processed, 2);
  EXPECT_EQ(summary.failed, 2);
  EXPECT_EQ(messages(), 1) << "the message must stay until all of it is done";
  put_raw("missing");
  world_->wake();
  summary = work();
  EXPECT_EQ(summary.duplicates, 2);
  EXPECT_EQ(summary.processed, 1);
}

TEST_P(WorkerTest, MovesAMessageAsideThatCannotBeProcessedWithoutADeadLetterQueue) {
  queue_.send("nonsense \xff");
  for (int i = 1; i <= 4; ++i) {
    work();
    EXPECT_EQ(messages(), 1);
    world_->wake();
  }
  // Each time twice as long, and by chance up to a half less: workers that failed together come back apart.
  EXPECT_THAT(queue_.hidden_for, ElementsAre(AllOf(Ge(3s), Le(5s)), AllOf(Ge(5s), Le(10s)),
                                             AllOf(Ge(10s), Le(20s)), AllOf(Ge(20s), Le(40s))));
  work();
  EXPECT_EQ(messages(), 0);
  EXPECT_THAT(kept(), HasSubstr("not JSON"));
  EXPECT_EQ(begun(), "") << "a message that ended is not begun";
  EXPECT_EQ(metric("ticket_messages_moved_aside_total"), "1");
  EXPECT_EQ(metric("ticket_failed_total{reason=\"message\"}"), "5");
}

TEST_P(WorkerTest, LeavesPoisonToTheRedrivePolicyOfAQueueThatHasOne) {
  world_->add_dead_letter_queue(20);
  queue_.send("nonsense");
  for (int i = 0; i < 8; ++i) work_again();
  EXPECT_EQ(messages(), 1);
  EXPECT_EQ(store_.writes, 0);
}

TEST_P(WorkerTest, NeverGivesATicketUpBecauseAServiceIsDown) {
  send_ticket("T");
  table_.on_put = [] { flox::fail(ErrorKind::unavailable, "down"); };
  for (int i = 0; i < 8; ++i) work_again();
  EXPECT_EQ(messages(), 1);
  EXPECT_EQ(metric("ticket_messages_moved_aside_total"), "0");
  EXPECT_EQ(begun(), "");
  EXPECT_EQ(metric("ticket_errors_total{kind=\"unavailable\",operation=\"store_item\"}"), "8");
  table_.on_put = nullptr;
  world_->wake();
  EXPECT_EQ(work().processed, 1);
}

TEST_P(WorkerTest, FinishesTheNeighboursOfATicketThatEndsTheProcessAndSetsItAside) {
  for (int i = 0; i < 9; ++i) send_ticket("T-" + std::to_string(i));
  send_ticket("POISON");
  deadly("POISON");
  // Together, alone in one order, alone in the opposite one: by then the neighbours are done.
  for (int delivery = 0; delivery < 3; ++delivery) {
    world_->wake();
    EXPECT_THROW(work({.until_empty = true}), Died);
  }
  EXPECT_EQ(world_->items().size(), 9u);
  EXPECT_EQ(messages(), 1);
  EXPECT_EQ(work_until_empty(), 1) << "at the fifth delivery it is set aside unread";
  EXPECT_EQ(messages(), 0);
  EXPECT_THAT(kept(), HasSubstr("the worker's process ended 2 times while it processed this message alone"));
  EXPECT_THAT(kept(), HasSubstr("POISON.json"));
  EXPECT_EQ(begun(), "");
  EXPECT_EQ(metric("ticket_failed_total{reason=\"worker_ended\"}"), "1");
}

TEST_P(WorkerTest, SeveralDeadlyTicketsOfOnePollAreSetAsideAndTheOthersDone) {
  for (int i = 0; i < 10; ++i) send_ticket("T-" + std::to_string(i));
  store_.on_get = [](const std::string& bucket, const std::string& key) {
    if (bucket == "tickets-raw" && (key == "T-0.json" || key == "T-5.json" || key == "T-9.json"))
      throw Died();
  };
  work_until_empty();
  EXPECT_EQ(messages(), 0);
  EXPECT_EQ(world_->items().size(), 7u);
  EXPECT_EQ(metric("ticket_messages_moved_aside_total"), "3");
}

TEST_P(WorkerTest, NewTicketsGoBeforeOnesThatCameBack) {
  send_ticket("POISON");
  deadly("POISON");
  EXPECT_THROW(work(), Died);
  world_->wake();
  for (int i = 0; i < 3; ++i) send_ticket("T-" + std::to_string(i));
  EXPECT_THROW(work(), Died);
  EXPECT_EQ(world_->items().size(), 3u);
}

TEST_P(WorkerTest, LeavesADeadlyTicketToTheDeadLetterQueueOfAQueueThatHasOne) {
  world_->add_dead_letter_queue(20);
  send_ticket("POISON");
  deadly("POISON");
  for (int delivery = 0; delivery < 8; ++delivery) {
    world_->wake();
    EXPECT_THROW(work(), Died);
  }
  EXPECT_EQ(messages(), 1);
  EXPECT_EQ(begun(), "");
}

TEST_P(WorkerTest, AnOutageAndADeathTogetherGiveNoTicketUp) {
  send_ticket("T");
  table_.on_put = [] { flox::fail(ErrorKind::unavailable, "down"); };
  for (int i = 0; i < 8; ++i) work_again();
  table_.on_put = [] { throw Died(); };
  world_->wake();
  EXPECT_THROW(work(), Died);
  EXPECT_NE(begun(), "");
  table_.on_put = [] { flox::fail(ErrorKind::unavailable, "down"); };
  for (int i = 0; i < 8; ++i) work_again();
  table_.on_put = nullptr;
  world_->wake();
  EXPECT_EQ(work().processed, 1);
  EXPECT_EQ(begun(), "");
}

TEST_P(WorkerTest, AnExceptionThatNobodyKnowsIsTheTicketsOwn) {
  for (const char* id : {"A", "B", "C"}) send_ticket(id);
  store_.on_get = [](const std::string&, const std::string& key) {
    if (key == "B.json") throw std::bad_alloc();
  };
  Summary summary = work();
  EXPECT_EQ(summary.processed, 2);
  EXPECT_EQ(metric("ticket_failed_total{reason=\"internal\"}"), "1");
  for (int i = 0; i < 5; ++i) work_again();
  EXPECT_EQ(messages(), 0);
  EXPECT_EQ(metric("ticket_messages_moved_aside_total"), "1");
}

TEST_P(WorkerTest, DeepTicketsAreSetAsideAndTheirNeighboursDone) {
  const auto values = nested_values(1'000'000);
  for (size_t i = 0; i < values.size(); ++i) {
    const std::string key = "deep-" + std::to_string(i) + ".json";
    world_->objects().put("tickets-raw", key, R"({"ticket_id":"D","metadata":)" + values[i] + "}");
    queue_.send(s3_event("tickets-raw", key, 1));
    queue_.send(values[i]);
    send_ticket("T-" + std::to_string(i));
  }
  EXPECT_EQ(work().processed, 3);
  EXPECT_EQ(messages(), 6);
  for (int i = 0; i < 5; ++i) work_again();
  EXPECT_EQ(messages(), 0);
  EXPECT_EQ(metric("ticket_messages_moved_aside_total"), "6");
}

TEST(InTurn, OfAnyTwoMessagesThatCameBackEachComesFirstOnce) {
  std::vector<Message> messages;
  for (const char* id : {"c", "a", "b"})
    messages.push_back({.id = id, .receipt = {}, .body = {}, .sent_at = {}});
  EXPECT_EQ(in_turn(messages).size(), 1u) << "new ones stay together";
  auto order = [&](int deliveries) {
    std::string ids;
    for (Message& message : messages) message.receive_count = deliveries;
    for (const auto& group : in_turn(messages)) ids += group.front()->id;
    return ids;
  };
  EXPECT_EQ(order(2), "abc");
  EXPECT_EQ(order(3), "cba");
  EXPECT_EQ(order(4).size(), 3u);
  messages[0].receive_count = 1;
  messages[1].receive_count = 7;
  messages[2].receive_count = 2;
  std::string ids;
  for (const auto& group : in_turn(messages)) ids += group.front()->id;
  EXPECT_EQ(ids, "cba") << "the fewest deliveries first";
  EXPECT_TRUE(in_turn({}).empty());
}

TEST_P(WorkerTest, IsNotReadyWhileTheQueueFails) {
  health_.models_loaded();
  queue_.on_receive = [] { flox::fail(ErrorKind::unavailable, "no route"); };
  work();
  EXPECT_EQ(health_.problem(), "the queue: no route");
  queue_.on_receive = nullptr;
  work();
  EXPECT_EQ(health_.problem(), std::nullopt);
}

TEST_P(WorkerTest, RejectsTicketsThatBreakTheSchemaAndThoseThatDoNotExist) {
  store_.put("tickets-raw", "bad.json", R"({"ticket_id":"X"})");
  queue_.send(s3_event("tickets-raw", "bad.json", 1));
  queue_.send(s3_event("tickets-raw", "gone.json", 1));
  EXPECT_EQ(work().failed, 2);
  EXPECT_EQ(metric("ticket_failed_total{reason=\"schema\"}"), "1");
  EXPECT_EQ(metric("ticket_failed_total{reason=\"object_missing\"}"), "1");
  EXPECT_TRUE(world_->items().empty());
}

TEST_P(WorkerTest, DoesNotReplaceAnotherTicketOfTheSameId) {
  send_ticket("T");
  work();
  std::string before = object("T.json");
  put_raw("T", 99);
  queue_.send(s3_event("tickets-raw", "T.json", 1));
  EXPECT_EQ(work().failed, 1);
  EXPECT_EQ(object("T.json"), before);
  EXPECT_EQ(metric("ticket_failed_total{reason=\"id_conflict\"}"), "1");
}

TEST_P(WorkerTest, ReplacesAnObjectThatIsNoEnrichedTicket) {
  store_.put("tickets-enriched", "T.json", "{\"ticket_id\":");
  send_ticket("T");
  EXPECT_EQ(work().processed, 1);
  EXPECT_EQ(json::parse(object("T.json"))["ticket_id"], "T");
}

TEST_P(WorkerTest, DeletesMessagesThatAskForNothing) {
  queue_.send(R"({"Event":"s3:TestEvent"})");
  queue_.send("{}");
  Summary summary = work();
  EXPECT_EQ(summary.failed, 0);
  EXPECT_EQ(messages(), 0);
  EXPECT_EQ(metric("ticket_messages_ignored_total"), "2");
}

TEST_P(WorkerTest, ReturnsTheRestToTheQueueWhenItIsStoppedWithoutGrace) {
  for (int i = 0; i < 10; ++i) send_ticket("T-" + std::to_string(i));
  Stop stop(0s);
  int puts = 0;
  table_.on_put = [&] {
    if (++puts == 3) stop.request();
  };
  Summary summary = work({}, stop);
  EXPECT_EQ(summary.processed, 3);
  EXPECT_EQ(summary.returned, 7);
  EXPECT_EQ(waiting(), 7);
  EXPECT_EQ(summary.failed, 0);
}

TEST_P(WorkerTest, RunsNoModelAnyMoreWhenTheGraceIsOver) {
  for (int i = 0; i < 10; ++i) send_ticket("T-" + std::to_string(i));
  Stop stop(0s);
  int gets = 0;
  store_.on_get = [&](const std::string&, const std::string&) {
    if (++gets == 4) stop.request();
  };
  Summary summary = work({}, stop);
  EXPECT_EQ(summary.returned, 10);
  EXPECT_EQ(waiting(), 10);
  EXPECT_TRUE(embedding_calls().sizes.empty());
}

TEST_P(WorkerTest, ReturnsATicketWhoseCallsWereCutOffByTheEndOfTheGrace) {
  send_ticket("T");
  Stop stop(0s);
  store_.on_get = [&](const std::string&, const std::string&) {
    stop.request();
    flox::fail(ErrorKind::unavailable, "cancelled");
  };
  Summary summary = work({}, stop);
  EXPECT_EQ(summary.failed, 0);
  EXPECT_EQ(waiting(), 1);
}

TEST_P(WorkerTest, FinishesWhatIsInHandWithinTheGrace) {
  for (int i = 0; i < 20; ++i) send_ticket("T-" + std::to_string(i));
  Stop stop(60s);
  store_.on_get = [&](const std::string&, const std::string&) {
    if (!stop.requested()) stop.request();
  };
  Summary summary = work({}, stop);
  EXPECT_EQ(summary.processed, 10) << "the batch in hand, and no further one";
  EXPECT_EQ(waiting(), 10);
}

TEST_P(WorkerTest, StopsAfterTheGivenNumberOfTickets) {
  for (int i = 0; i < 10; ++i) send_ticket("T-" + std::to_string(i));
  EXPECT_EQ(work({.max_tickets = 4}).processed, 4);
  EXPECT_EQ(waiting(), 6);
}

TEST(VisibilityKeeper, HidesWhatIsInHandAgainAndAgainUntilItIsLetGo) {
  FakeQueue inner;
  HookedQueue queue(inner);
  queue.send("x");
  auto messages = queue.receive(1, 0s, std::nullopt, nullptr);
  VisibilityKeeper keeper(queue, 30ms);
  keeper.hold(messages);
  {
    std::unique_lock lock(queue.mutex);
    EXPECT_TRUE(queue.changed.wait_for(lock, 10s, [&] { return queue.hidden_for.size() >= 3; }));
  }
  keeper.let_go({messages.front().receipt});
  EXPECT_EQ(keeper.held(), 0u);
}

}  // namespace
}  // namespace ticket
