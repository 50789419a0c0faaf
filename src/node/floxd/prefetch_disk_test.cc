#include "node/floxd/prefetch_disk.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <string>
#include <vector>

namespace flox::node {
namespace {

using testing::ElementsAre;

PrefetchRecord record_of(const std::string& environment, const std::string& reason = "") {
  PrefetchRecord record;
  record.environment = environment;
  record.reason = reason;
  return record;
}

// A disk that makes its first change only when it is let.
class PrefetchDiskTest : public testing::Test {
 protected:
  void apply(const std::string& key, const PrefetchDisk::Change& change) {
    if (key == record_of("slow").key()) {
      begun_.set_value();
      released_.get_future().wait();
    }
    const std::scoped_lock lock(mutex_);
    done_.push_back((change.written ? change.written->environment + change.written->reason : "") +
                    (change.removed.empty() ? "" : "-" + change.removed) +
                    fmt::format("/{}", change.ended.size()));
  }
  // From now on the disk does nothing else, until it is let.
  void begin_slow() {
    disk_.write(record_of("slow"));
    begun_.get_future().wait();
  }
  std::vector<std::string> done() {
    const std::scoped_lock lock(mutex_);
    return done_;
  }

  std::mutex mutex_;
  std::vector<std::string> done_;
  std::promise<void> begun_, released_;
  PrefetchDisk disk_{
      [this](const std::string& key, const PrefetchDisk::Change& change) { apply(key, change); }};
};

TEST_F(PrefetchDiskTest, NobodyWaitsForTheDiskWhoDoesNotAskTo) {
  begin_slow();
  for (int i = 0; i < 1000; ++i) disk_.write(record_of("a", std::to_string(i)));
  disk_.write(record_of("b"));
  disk_.remove(record_of("a"));
  EXPECT_THAT(done(), ElementsAre()) << "the disk is slow, and here all was said";
  released_.set_value();
  disk_.wait_for({record_of("a").key(), record_of("b").key()});
  EXPECT_THAT(done(), ElementsAre("slow/0", "-a/2", "b/0")) << "of each what has become of it";
}

TEST_F(PrefetchDiskTest, OneThatComesAgainIsWrittenAndLosesTheLeasesOfTheEarlierOne) {
  begin_slow();
  disk_.remove(record_of("a"));
  disk_.write(record_of("a", "again"));
  released_.set_value();
  disk_.wait_for({record_of("a").key()});
  EXPECT_EQ(done().at(1), "aagain/2");
}

}  // namespace
}  // namespace flox::node
