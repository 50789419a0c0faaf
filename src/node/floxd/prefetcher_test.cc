// That what is cancelled and asked for again is never fetched twice at once. All else of prefetching
// test/node/prefetch.sh shows.
#include "node/floxd/prefetcher.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <future>

#include "base/os/file.h"
#include "node/installer/state_names.h"

namespace flox::node {
namespace {

struct ConfigIn : Config {
  explicit ConfigIn(const std::filesystem::path& directory) {
    root = directory;
    prefetch_min_free = {};
  }
};

// What is fetched ends when the test says so.
class PrefetcherTest : public testing::Test {
 protected:
  ~PrefetcherTest() override {
    {
      const std::scoped_lock lock(mutex_);
      is_open_ = true;
      changed_.notify_all();
    }
    lane_.stop();
  }

  nix::StorePath realise(const env::Lockfile& lock) {
    const nix::StorePath path = *lock.packages.at(0).store_paths().begin();
    std::unique_lock guard(mutex_);
    Runs& runs = runs_[path.to_string()];
    runs.most = std::max(runs.most, ++runs.now);
    ++runs.all;
    changed_.notify_all();
    changed_.wait(guard, [&] { return is_open_ || runs.may_end > 0; });
    if (runs.may_end > 0) --runs.may_end;
    --runs.now;
    changed_.notify_all();
    return path;
  }
  // Whether so many runs of it have begun in all, at last.
  bool begun(const std::string& path, size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(60), [&] { return runs_[path].all >= count; });
  }
  void end_one(const std::string& path) {
    const std::scoped_lock lock(mutex_);
    ++runs_[path].may_end;
    changed_.notify_all();
  }
  size_t most_at_once(const std::string& path) {
    const std::scoped_lock lock(mutex_);
    return runs_[path].most;
  }
  size_t all(const std::string& path) {
    const std::scoped_lock lock(mutex_);
    return runs_[path].all;
  }
  // The lane has taken up all that was given to it before.
  void pass_lane() {
    const std::string marker = path_of('a' + markers_++);
    prefetcher_.add(nullptr, {marker}, {});
    ASSERT_TRUE(begun(marker, 1));
    end_one(marker);
  }
  static std::string path_of(int letter) {
    return "/nix/store/" + std::string(32, static_cast<char>(letter)) + "-p";
  }

  struct Runs {
    size_t now = 0, most = 0, all = 0, may_end = 0;
  };
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_open_ = false;
  std::map<std::string, Runs> runs_;  // by store path
  int markers_ = 0;

  const TempDir directory_;
  const ConfigIn config_{directory_.path()};
  store::LocalStore store_{directory_.path()};
  Metrics metrics_;
  Peers peers_{config_, directory_.path(), store_, metrics_};
  Environments environments_{config_, store_, peers_, metrics_};
  Containers containers_{directory_.path() / state::containers};
  KeptPods kept_{kept_pods_directory(config_.root), store_};
  PodPolicy policy_{config_, metrics_};
  FairThreads lane_{8};
  Prefetcher prefetcher_{config_,
                         environments_,
                         containers_,
                         kept_,
                         policy_,
                         lane_,
                         metrics_,
                         [this](const env::Lockfile& lock, const std::string&, const Environments::Terms&) {
                           return realise(lock);
                         }};
};

TEST_F(PrefetcherTest, what_is_cancelled_and_asked_for_again_is_fetched_after_the_first_fetch_has_ended) {
  const std::string path = path_of('x');
  prefetcher_.add(nullptr, {path}, {});
  ASSERT_TRUE(begun(path, 1));
  for (int i = 0; i < 20; ++i) {
    prefetcher_.cancel(nullptr, {path});
    prefetcher_.add(nullptr, {path}, {});
    prefetcher_.tidy();
  }
  pass_lane();
  EXPECT_EQ(all(path), 1u);
  end_one(path);
  ASSERT_TRUE(begun(path, 2));
  EXPECT_EQ(prefetcher_.show(nullptr, {path}).at(0).record.state, PrefetchRecord::State::fetching);
  end_one(path);
  pass_lane();
  EXPECT_EQ(all(path), 2u);
  EXPECT_EQ(most_at_once(path), 1u);
}

TEST_F(PrefetcherTest, what_was_cancelled_is_not_called_present_by_the_end_of_its_fetch) {
  const std::string path = path_of('x');
  prefetcher_.add(nullptr, {path}, {});
  ASSERT_TRUE(begun(path, 1));
  prefetcher_.cancel(nullptr, {path});
  end_one(path);
  pass_lane();
  EXPECT_THROW(prefetcher_.show(nullptr, {path}), Error);
  prefetcher_.add(nullptr, {path}, {});
  ASSERT_TRUE(begun(path, 2));
  EXPECT_EQ(prefetcher_.show(nullptr, {path}).at(0).record.state, PrefetchRecord::State::fetching);
}

}  // namespace
}  // namespace flox::node
