// The worker that fetches and stores while the models compute: the same outcome as one that does all in turn.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "ticket/event_log.h"
#include "ticket/testing/fake_backend.h"
#include "ticket/testing/fake_models.h"
#include "ticket/testing/hooked_backend.h"
#include "ticket/worker/notification.h"
#include "ticket/worker/worker.h"

namespace ticket {
namespace {

using nlohmann::json;
using testing::Each;
using testing::ElementsAre;
using testing::Le;
using namespace std::chrono_literals;

// A model that a test holds on to.
class HeldEmbedding : public FakeEmbedding {
 public:
  std::vector<std::vector<float>> embed(const std::vector<std::string>& texts) override {
    if (on_embed) on_embed();
    return FakeEmbedding::embed(texts);
  }
  std::function<void()> on_embed;
};

class LookAhead : public testing::Test {
 protected:
  LookAhead() {
    settings_.poll_wait = 0s;
    set_log_level(static_cast<Level>(4));
    auto embedding = std::make_unique<HeldEmbedding>();
    embedding_ = embedding.get();
    models_.embedding.model = std::move(embedding);
  }
  void send_ticket(const std::string& id, const std::string& body = "error") {
    objects_.put(
        "tickets-raw", id + ".json",
        json{{"ticket_id", id}, {"subject", "S"}, {"body", body}, {"created_at", 1}, {"customer_id", "C"}}
            .dump());
    inner_queue_.send(s3_event("tickets-raw", id + ".json", 1));
  }
  Summary work() {
    Worker worker(settings_, queue_.traits(),
                  {.queue = queue_,
                   .store = store_,
                   .table = table_,
                   .models = models_,
                   .metrics = metrics_,
                   .health = health_,
                   .stop = stop_});
    return worker.run({.until_empty = !endless_});
  }
  bool says(const std::string& line) { return metrics_.text().find("\n" + line + "\n") != std::string::npos; }
  // What is stored, without the time of day.
  std::string stored(const std::string& id) {
    json object = json::parse(objects_.get("tickets-enriched", id + ".json", 1 << 20).value_or("{}"));
    object["enrichment"].erase("processed_at");
    return object.dump();
  }

  Settings settings_;
  FakeQueue inner_queue_;
  FakeObjects objects_;
  FakeTable inner_table_;
  HookedQueue queue_{inner_queue_};
  HookedObjects store_{objects_};
  HookedTable table_{inner_table_};
  Models models_ = fake_models();
  HeldEmbedding* embedding_;
  Metrics metrics_;
  Health health_;
  Stop stop_{0s};
  bool endless_ = false;
};

TEST_F(LookAhead, GivesEveryTicketTheSameAsOneAfterTheOther) {
  std::vector<std::string> outcomes[2];
  for (const bool ahead : {false, true}) {
    settings_.look_ahead = ahead;
    for (int i = 0; i < 37; ++i)
      send_ticket(fmt::format("{}-{}", ahead, i), std::string(static_cast<size_t>(i * 37 % 90), 'x'));
    EXPECT_EQ(work().processed, 37);
    for (int i = 0; i < 37; ++i) {
      std::string outcome = stored(fmt::format("{}-{}", ahead, i));
      outcome.replace(outcome.find(ahead ? "true-" : "false-"), ahead ? 5 : 6, "");
      outcomes[ahead].push_back(outcome);
    }
  }
  EXPECT_EQ(outcomes[0], outcomes[1]);
  EXPECT_EQ(inner_queue_.depth().waiting + inner_queue_.depth().hidden, 0);
}

// The test would stand still if fetching waited for the models, or the models for storing.
TEST_F(LookAhead, FetchesAndStoresWhileTheModelsCompute) {
  for (int i = 0; i < 30; ++i) send_ticket(fmt::format("T-{}", i));
  std::latch second_fetched(10), first_stored(10);
  std::atomic<int> gets = 0, puts = 0, batches = 0;
  store_.on_get = [&](const std::string&, const std::string&) {
    if (const int n = ++gets; n > 10 && n <= 20) second_fetched.count_down();
  };
  table_.on_put = [&] {
    if (++puts <= 10) first_stored.count_down();
  };
  embedding_->on_embed = [&] {
    const int batch = ++batches;
    if (batch == 1) second_fetched.wait();
    if (batch == 2) first_stored.wait();
  };
  EXPECT_EQ(work().processed, 30);
  EXPECT_EQ(batches, 3);
}

TEST_F(LookAhead, FillsBatchesOverSeveralPolls) {
  settings_.max_messages = 3;
  settings_.batch_wait = 1min;
  for (int i = 0; i < 25; ++i) send_ticket(fmt::format("T-{}", i));
  EXPECT_EQ(work().processed, 25);
  EXPECT_THAT(embedding_->calls.sizes, Each(Le(10u)));
  EXPECT_EQ(embedding_->calls.sizes.size(), 3u) << "and not the nine polls";
  EXPECT_TRUE(says("ticket_batches_total{reason=\"full\"} 2"));
  EXPECT_TRUE(says("ticket_batches_total{reason=\"drained\"} 1"));
  EXPECT_TRUE(says("ticket_waiting_tickets 0"));
  EXPECT_TRUE(says("ticket_in_flight_messages 0"));
}

TEST_F(LookAhead, BeginsAtOnceWhileTheModelsHaveNothingToDo) {
  settings_.max_messages = 3;
  for (int i = 0; i < 3; ++i) send_ticket(fmt::format("T-{}", i));
  EXPECT_EQ(work().processed, 3);
  EXPECT_TRUE(says("ticket_batches_total{reason=\"deadline\"} 1"));
}

TEST_F(LookAhead, ProcessesWhatCameBackAloneWithNothingElseInHand) {
  for (int i = 0; i < 4; ++i) send_ticket(fmt::format("OLD-{}", i));
  inner_queue_.receive(10, 0s, std::nullopt, nullptr);
  inner_queue_.wake();
  for (int i = 0; i < 12; ++i) send_ticket(fmt::format("NEW-{}", i));
  EXPECT_EQ(work().processed, 16);
  EXPECT_TRUE(says("ticket_batches_total{reason=\"alone\"} 4"));
  EXPECT_THAT(embedding_->calls.sizes, testing::IsSupersetOf({1u, 1u, 1u, 1u}))
      << "the models have each by itself";
}

TEST_F(LookAhead, GivesBackWhatItFetchedAheadWhenItIsStopped) {
  endless_ = true;
  for (int i = 0; i < 30; ++i) send_ticket(fmt::format("T-{}", i));
  std::latch second_fetched(10);
  std::atomic<int> gets = 0;
  store_.on_get = [&](const std::string&, const std::string&) {
    if (const int n = ++gets; n > 10 && n <= 20) second_fetched.count_down();
  };
  embedding_->on_embed = [&] {
    second_fetched.wait();
    stop_.request();
  };
  const Summary summary = work();
  EXPECT_EQ(summary.processed, 0) << "no grace";
  EXPECT_EQ(summary.returned, 20);
  EXPECT_EQ(inner_queue_.depth().waiting, 30);
  EXPECT_EQ(summary.failed, 0);
}

TEST_F(LookAhead, HoldsWhatItFetchedWhileAServiceIsDown) {
  for (int i = 0; i < 15; ++i) send_ticket(fmt::format("T-{}", i));
  std::atomic<int> puts = 0;
  table_.on_put = [&] {
    if (++puts <= 10) flox::fail(flox::ErrorKind::unavailable, "down");
  };
  const Summary summary = work();
  EXPECT_EQ(summary.processed, 5);
  EXPECT_EQ(summary.failed, 10);
  EXPECT_EQ(inner_queue_.depth().hidden, 10) << "they are hidden for their pause";
}

TEST_F(LookAhead, LeavesAMessageOfManyRecordsForItself) {
  json records = json::array();
  for (int i = 0; i < 20; ++i) {
    send_ticket(fmt::format("T-{}", i));
    records.push_back({{"key", fmt::format("T-{}.json", i)}});
  }
  inner_queue_.receive(10, 0s, std::nullopt, nullptr);  // the single ones are in other hands
  inner_queue_.receive(10, 0s, std::nullopt, nullptr);
  inner_queue_.send(json{{"Records", records}}.dump());
  EXPECT_EQ(work().processed, 20);
  EXPECT_TRUE(says("ticket_batches_total{reason=\"in_turn\"} 1"));
}

}  // namespace
}  // namespace ticket
