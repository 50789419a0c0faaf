#include "lazy/frame_queue.h"

#include <gtest/gtest.h>

#include <future>

#include "base/error.h"

namespace flox::lazy {
namespace {

using Urgency = FrameSource::Urgency;

struct Taken {
  int error = 0;
  std::string nar;
  bool operator==(const Taken&) const = default;
};

std::future<Taken> ask(FrameSource& source, uint32_t frame, Urgency urgency = Urgency::now) {
  const auto promise = std::make_shared<std::promise<Taken>>();
  source.fetch(frame, urgency, [promise](int error, std::string_view nar) {
    promise->set_value({error, std::string(nar)});
    return true;
  });
  return promise->get_future();
}

FrameQueue::Bring says(const std::string& text) {
  return [text](uint32_t frame, uint32_t) { return fmt::format("{} {}", text, frame); };
}

FrameQueue::Bring broken() {
  return [](uint32_t, uint32_t) -> std::string { fail(ErrorKind::unavailable, "it is down"); };
}

TEST(FrameQueueTest, GoesToTheNextPlaceWhenOneIsDown) {
  FrameQueue queue(1, 1);
  const auto source = queue.source("x", {broken(), says("second")});
  EXPECT_EQ(ask(*source, 3).get(), (Taken{0, "second 3"}));
}

TEST(FrameQueueTest, GoesToTheNextPlaceWhenOneLies) {
  FrameQueue queue(1, 1);
  const auto source = queue.source("x", {says("lie"), says("truth")});
  std::promise<std::string> got;
  source->fetch(1, Urgency::now, [&](int, std::string_view nar) {
    if (nar.starts_with("lie")) return false;
    got.set_value(std::string(nar));
    return true;
  });
  EXPECT_EQ(got.get_future().get(), "truth 1");
}

TEST(FrameQueueTest, SaysAnErrorWhenThereIsNoFurtherPlace) {
  FrameQueue queue(1, 1);
  EXPECT_EQ(ask(*queue.source("x", {broken(), broken()}), 0).get().error, EIO);
  EXPECT_EQ(ask(*queue.source("x", {}), 0).get().error, EIO);
}

TEST(FrameQueueTest, BringsAFrameOnceForAllWhoAsk) {
  FrameQueue queue(1, 1);
  std::promise<void> go;
  std::atomic<int> times = 0;
  const auto source = queue.source("x", {[&, may = go.get_future().share()](uint32_t, uint32_t) {
                                     may.wait();
                                     ++times;
                                     return std::string("bytes");
                                   }});
  std::vector<std::future<Taken>> all;
  for (int i = 0; i < 20; ++i) all.push_back(ask(*source, 5, i % 2 == 0 ? Urgency::now : Urgency::later));
  go.set_value();
  for (auto& one : all) EXPECT_EQ(one.get(), (Taken{0, "bytes"}));
  EXPECT_EQ(times, 1);
}

TEST(FrameQueueTest, AReaderDoesNotWaitBehindTheRest) {
  FrameQueue queue(0, 1);
  std::promise<void> go;
  std::vector<uint32_t> order;
  const auto source = queue.source("x", {[&, may = go.get_future().share()](uint32_t frame, uint32_t) {
                                     may.wait();
                                     order.push_back(frame);
                                     return std::string("bytes");
                                   }});
  std::vector<std::future<Taken>> all;
  for (uint32_t frame = 0; frame < 10; ++frame) all.push_back(ask(*source, frame, Urgency::later));
  while (queue.waiting().later == 10) std::this_thread::yield();  // until the thread has the first
  all.push_back(ask(*source, 7, Urgency::now));                   // was asked for already
  all.push_back(ask(*source, 99, Urgency::now));
  go.set_value();
  for (auto& one : all) one.wait();
  EXPECT_EQ(order, (std::vector<uint32_t>{0, 7, 99, 1, 2, 3, 4, 5, 6, 8, 9}));
}

TEST(FrameQueueTest, NeighboursForWhichNobodyWaitsComeTogetherAndOneThatLiesByItself) {
  FrameQueue queue(0, 1);
  std::promise<void> go;
  std::vector<std::pair<uint32_t, uint32_t>> asked;
  const auto source = queue.source("x", {[&, may = go.get_future().share()](uint32_t first, uint32_t last) {
                                     may.wait();
                                     asked.emplace_back(first, last);
                                     std::string nar;
                                     // Together it says of frame 3 what it does not say of it alone.
                                     for (uint32_t frame = first; frame <= last; ++frame)
                                       nar +=
                                           frame == 3 && first != last ? "lie" : fmt::format("is{}", frame);
                                     return nar;
                                   }},
                                   std::vector<uint64_t>(10, 3));
  std::vector<std::future<Taken>> all;
  all.push_back(ask(*source, 0, Urgency::now));
  while (queue.waiting().now == 1) std::this_thread::yield();  // until the thread has it
  all.push_back(ask(*source, 2, Urgency::soon));
  const auto promise = std::make_shared<std::promise<Taken>>();
  source->fetch(3, Urgency::soon, [promise](int error, std::string_view nar) {
    if (error == 0 && nar == "lie") return false;
    promise->set_value({error, std::string(nar)});
    return true;
  });
  for (const uint32_t frame : {4, 7}) all.push_back(ask(*source, frame, Urgency::soon));
  go.set_value();
  for (auto& one : all) EXPECT_EQ(one.get().error, 0);
  EXPECT_EQ(promise->get_future().get(), (Taken{0, "is3"}));
  using Asked = std::vector<std::pair<uint32_t, uint32_t>>;
  EXPECT_EQ(asked, (Asked{{0, 0}, {2, 4}, {3, 3}, {7, 7}}));
}

}  // namespace
}  // namespace flox::lazy
