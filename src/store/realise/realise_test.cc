#include "store/realise/realise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <future>
#include <thread>

#include "store/testing/published_closure.h"

namespace flox::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(RealiseTest, a_closure_comes_out_of_a_cache_as_it_went_in) {
  LocalStore store(node());
  std::vector<RealiseProgress> seen;
  RealiseOptions how = options({url("cache")});
  how.on_progress = [&](const RealiseProgress& progress) { seen.push_back(progress); };
  const RealiseResult result = realise(store, {*app_}, how);
  EXPECT_EQ(result.closure, (StorePathSet{*app_, *lib_, *base_}));
  EXPECT_EQ(result.paths_fetched, 3u);
  EXPECT_EQ(seen.back().paths_done, 3u);
  EXPECT_EQ(seen.back().bytes_fetched, seen.back().bytes_total);
  expect_realised();
  const LocalStore publisher(temp_.path() / "publisher");
  EXPECT_EQ(store.query(*app_)->references, publisher.query(*app_)->references);
  EXPECT_EQ(store.query(*app_)->content_address, publisher.query(*app_)->content_address);
  EXPECT_EQ(store.query(*app_)->signatures.size(), 1u);

  EXPECT_EQ(realise(store, {*app_}, options({})).paths_fetched, 0u);  // it is all there
}

TEST_F(RealiseTest, many_realisations_of_one_closure_fetch_each_path_once) {
  std::atomic<uint64_t> fetched = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 5; ++i)
      threads.emplace_back([&] {
        LocalStore store(node());
        fetched += realise(store, {*app_}, options({url("cache")})).paths_fetched;
      });
  }
  EXPECT_EQ(fetched, 3u);
  expect_realised();
}

TEST_F(RealiseTest, a_realisation_costs_no_more_than_its_limits) {
  RealiseOptions how = options({url("cache")});
  how.limits.paths = 2;
  EXPECT_THAT(error_of(how, ErrorKind::untrusted), HasSubstr("more than 2 paths that are missing"));
  how = options({url("cache")});
  how.limits.disk = 1000;  // the base alone has 100,000
  EXPECT_THAT(error_of(how, ErrorKind::unavailable), HasSubstr("that are allowed"));
  how = options({url("cache")});
  how.limits.references = 100;
  EXPECT_THAT(error_of(how, ErrorKind::untrusted), HasSubstr("references of the closure's missing paths"));
}

TEST_F(HttpRealiseTest, a_killed_realisation_leaves_nothing_visible_and_is_taken_up_again) {
  // The largest NAR comes to its middle, where the realising process is killed.
  const std::string contents = read_file(nar("cache", *lib_));
  const std::string name = "/nar/" + nar("cache", *lib_).filename().string();
  std::promise<void> killed;
  const std::shared_future<void> end = killed.get_future().share();
  std::atomic<bool> stalls = true;
  instead_ = [&, end](const ServerRequest& request) -> std::optional<ServerResponse> {
    if (!stalls || request.path != name) return std::nullopt;
    return ServerResponse{.stream =
                              [&, end](const ByteSink& sink) {
                                sink(std::string_view(contents).substr(0, 20));
                                end.wait();
                                fail(ErrorKind::unavailable, "the peer is gone");
                              },
                          .stream_size = contents.size()};
  };
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      LocalStore store(node());
      RealiseOptions how = http_options();
      how.workers = 3;
      realise(store, {*app_}, how);
    } catch (...) {
    }
    ::_exit(0);
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  auto staged = [&] {
    std::error_code not_yet;
    for (const auto& entry : fs::directory_iterator(node() / "nix/var/nix/flox/staging", not_yet))
      if (entry.path().string().find(base_->digest()) != std::string::npos) return true;
    return false;
  };
  while (!staged() && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  ASSERT_TRUE(staged());
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  stalls = false;
  killed.set_value();

  EXPECT_THAT(names_in(node() / "nix/store"), ElementsAre(".links"));
  EXPECT_THAT(names_in(node() / "nix/var/nix/flox/scratch"), testing::Not(IsEmpty()));
  LocalStore store(node());
  EXPECT_LE(realise(store, {*app_}, http_options()).paths_fetched, 2u);  // not base again
  EXPECT_THAT(names_in(store.scratch_directory()), IsEmpty());
  expect_realised();
}

TEST_F(HttpRealiseTest, a_fetcher_that_does_not_come_to_an_end_is_ended) {
  std::promise<void> ended;
  const std::shared_future<void> end = ended.get_future().share();
  instead_ = [end](const ServerRequest& request) -> std::optional<ServerResponse> {
    if (request.path.find("/nar/") != std::string::npos) end.wait();
    return std::nullopt;
  };
  RealiseOptions how = http_options();
  how.limits.time = std::chrono::milliseconds(1500);
  EXPECT_THAT(error_of(how, ErrorKind::unavailable), HasSubstr("in the time that it was given"));
  ended.set_value();
}

TEST_F(HttpRealiseTest, a_realisation_that_is_stopped_ends_at_once_and_the_next_goes_on_from_there) {
  std::promise<void> ended;
  const std::shared_future<void> end = ended.get_future().share();
  std::atomic<bool> stalls = true;
  const std::string name = "/nar/" + nar("cache", *lib_).filename().string();
  std::stop_source stop;
  std::atomic<uint64_t> done = 0;
  instead_ = [&, end](const ServerRequest& request) -> std::optional<ServerResponse> {
    if (!stalls || request.path != name) return std::nullopt;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (done < 1 && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    stop.request_stop();
    end.wait();
    return std::nullopt;
  };
  RealiseOptions how = http_options();
  how.workers = 3;
  how.stop = stop.get_token();
  how.on_progress = [&](const RealiseProgress& progress) { done = progress.paths_done; };
  EXPECT_THAT(error_of(how, ErrorKind::unavailable), HasSubstr("it was stopped"));
  stalls = false;
  ended.set_value();
  LocalStore store(node());
  EXPECT_LE(realise(store, {*app_}, http_options()).paths_fetched, 2u);
  expect_realised();
}

TEST_F(HttpRealiseTest, what_is_metered_asks_before_it_reads_and_comes_whole) {
  std::atomic<uint64_t> allowed = 0;
  RealiseOptions how = http_options();
  how.allow = [&](uint64_t bytes, const std::function<bool()>& is_over) {
    EXPECT_FALSE(is_over());
    allowed += bytes;
  };
  LocalStore store(node());
  const RealiseResult result = realise(store, {*app_}, how);
  EXPECT_EQ(result.paths_fetched, 3u);
  EXPECT_GE(allowed, result.bytes_fetched);
  expect_realised();
}

}  // namespace
}  // namespace flox::store
