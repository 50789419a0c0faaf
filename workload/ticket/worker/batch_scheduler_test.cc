// The scheduler's choices, with a clock that the test turns.
#include "ticket/worker/batch_scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

namespace ticket {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::Optional;
using Reason = BatchScheduler::Reason;

class Scheduler : public testing::Test {
 protected:
  void arrive(uint64_t id, size_t characters, size_t tickets = 1) {
    scheduler_.add({.id = id, .tickets = tickets, .characters = characters, .arrived = now_});
  }
  std::optional<Reason> ready(bool queue_has_more = true) const {
    return scheduler_.ready(now_, queue_has_more);
  }

  BatchScheduler::Time now_{};
  BatchScheduler scheduler_{{.tickets = 4, .characters = 1000, .wait = 100ms}};
};

TEST_F(Scheduler, HasNothingToDoWithoutTickets) {
  EXPECT_EQ(ready(true), std::nullopt);
  EXPECT_EQ(ready(false), std::nullopt);
}

TEST_F(Scheduler, BeginsWhenABatchIsFull) {
  for (uint64_t id = 1; id <= 3; ++id) arrive(id, 10);
  EXPECT_EQ(ready(), std::nullopt);
  arrive(4, 10);
  EXPECT_THAT(ready(), Optional(Reason::full));
  EXPECT_THAT(scheduler_.take(), ElementsAre(1, 2, 3, 4));
  EXPECT_TRUE(scheduler_.empty());
}

TEST_F(Scheduler, CountsTheTicketsOfAMessageAndTheLengthOfTheirTexts) {
  arrive(1, 10, 4);
  EXPECT_THAT(ready(), Optional(Reason::full));
  scheduler_.take();
  arrive(2, 1000);
  EXPECT_THAT(ready(), Optional(Reason::full));
}

TEST_F(Scheduler, BeginsWhenTheOldestHasWaitedLongEnough) {
  arrive(1, 10);
  now_ += 99ms;
  arrive(2, 10);
  EXPECT_EQ(ready(), std::nullopt);
  now_ += 1ms;
  EXPECT_THAT(ready(), Optional(Reason::deadline));
  EXPECT_THAT(scheduler_.take(), ElementsAre(1, 2));
}

TEST_F(Scheduler, DoesNotWaitForAQueueThatHasNoMore) {
  arrive(1, 10);
  EXPECT_THAT(ready(false), Optional(Reason::drained));
}

TEST_F(Scheduler, WithoutAWaitBeginsAtOnce) {
  scheduler_ = BatchScheduler({.tickets = 4});
  arrive(1, 10);
  EXPECT_THAT(ready(), Optional(Reason::deadline));
}

TEST_F(Scheduler, PutsTicketsOfOneLengthTogetherAndTheOldestFirst) {
  arrive(1, 100);
  arrive(2, 400);
  arrive(3, 90);
  arrive(4, 10);
  arrive(5, 110);
  arrive(6, 105);
  EXPECT_THAT(scheduler_.take(), ElementsAre(1, 6, 3, 5));
  EXPECT_THAT(scheduler_.take(), ElementsAre(2, 4)) << "what was passed over is the oldest now";
}

TEST_F(Scheduler, NeverExceedsABatchButForOneMessageThatIsLarger) {
  arrive(1, 600);
  arrive(2, 500);
  arrive(3, 300);
  EXPECT_THAT(scheduler_.take(), ElementsAre(1, 3));
  EXPECT_THAT(scheduler_.take(), ElementsAre(2));
  arrive(4, 5000, 7);
  arrive(5, 5000);
  EXPECT_THAT(scheduler_.take(), ElementsAre(4));
}

// However tickets arrive: each leaves once, and none after more batches than there were tickets before it.
TEST_F(Scheduler, LetsNobodyWaitForEver) {
  std::mt19937 random(1);
  std::set<uint64_t> waiting;
  uint64_t next = 1;
  for (int round = 0; round < 2000; ++round) {
    for (unsigned i = random() % 6; i > 0; --i) {
      arrive(next, random() % 900);
      waiting.insert(next++);
    }
    if (scheduler_.empty()) continue;
    const std::vector<uint64_t> batch = scheduler_.take();
    EXPECT_EQ(batch.front(), *waiting.begin()) << "the oldest goes first";
    for (uint64_t id : batch) EXPECT_EQ(waiting.erase(id), 1u);
  }
}

}  // namespace
}  // namespace ticket
