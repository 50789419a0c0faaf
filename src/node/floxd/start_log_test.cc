#include "node/floxd/start_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/floxd/stage_timer.h"
#include "node/floxd/status_service.h"

namespace flox::node {
namespace {

using State = StartLog::State;

v1::PrepareRequest request(const std::string& pod_namespace, const std::string& pod,
                           const std::string& environment = "acme/web:8") {
  v1::PrepareRequest request;
  request.set_container_id(pod_namespace + "-" + pod);
  request.set_pod_namespace(pod_namespace);
  request.set_pod_name(pod);
  request.set_container_name("main");
  request.set_environment(environment);
  return request;
}

StartLog::Record only(const StartLog& log) {
  const auto all = log.starts();
  EXPECT_EQ(all.size(), 1U);
  return all.empty() ? StartLog::Record() : all.front();
}

TEST(StartLogTest, AStartWaitsForItsTurnAndTellsItsStages) {
  StartLog log;
  Metrics metrics;
  const auto start = log.begin(request("shop", "web"));
  EXPECT_EQ(only(log).state, State::waiting);
  EXPECT_EQ(only(log).wait, StartLog::Wait::turn);
  {
    const StartLog::Start::Turn turn(*start);
    EXPECT_EQ(StartLog::Start::current(), start.get());
    { const StageTimer timer(metrics, Stage::resolve); }
    const StageTimer timer(metrics, Stage::realise);
    const StartLog::Start::WaitsForSame waits;
    const StartLog::Record now = only(log);
    EXPECT_EQ(now.state, State::running);
    EXPECT_EQ(now.wait, StartLog::Wait::same);
    ASSERT_EQ(now.stages.size(), 2U);
    EXPECT_EQ(now.stages[0].name, "resolve");
    EXPECT_TRUE(now.stages[0].is_over);
    EXPECT_FALSE(now.stages[1].is_over);
  }
  EXPECT_EQ(StartLog::Start::current(), nullptr);
  EXPECT_EQ(log.under_way(), 1U);
  start->prepared("/nix/store/x-web");
  EXPECT_EQ(only(log).state, State::prepared);
  EXPECT_TRUE(std::ranges::all_of(only(log).stages, &StartLog::Stage::is_over));
  EXPECT_EQ(only(log).wait, StartLog::Wait::none);
  EXPECT_EQ(log.under_way(), 0U);
}

TEST(StartLogTest, AStageThatAnErrorEndsHasFailedAndTheErrorIsKept) {
  StartLog log;
  Metrics metrics;
  const auto start = log.begin(request("shop", "web"));
  try {
    const StartLog::Start::Turn turn(*start);
    const StageTimer timer(metrics, Stage::resolve);
    throw Error(ErrorKind::not_found, "acme/web has no generation 9\x1b[2J", "Use 8.");
  } catch (const Error& error) {
    start->failed(error);
  }
  const StartLog::Record record = only(log);
  EXPECT_EQ(record.state, State::failed);
  EXPECT_TRUE(record.stages.at(0).has_failed);
  EXPECT_EQ(record.error.find('\x1b'), std::string::npos);
  EXPECT_EQ(record.advice, "Use 8.");
  start->prepared("later");  // what has ended does not change
  EXPECT_EQ(only(log).state, State::failed);
}

TEST(StartLogTest, TellsWhatCameOfALazyStartAfterItHasEnded) {
  StartLog log;
  const auto progress = std::make_shared<LazyProgress>();
  const auto start = log.begin(request("shop", "web"));
  start->lazy({.closure_bytes = 100, .missing_bytes = 80, .has_profile = true, .profile_bytes = 7}, progress);
  start->prepared("/nix/store/x-web");
  progress->change([](LazyProgress::Figures& figures) {
    figures.ready_at = LazyProgress::Figures::Clock::time_point(std::chrono::milliseconds(1500));
    figures.bytes_at_ready = 20;
    figures.bytes = 75;
    figures.reads_waited = 3;
  });
  for (size_t i = 0; i < 2 * LazyProgress::most_failures; ++i)
    progress->failed({.path = "/nix/store/x-" + std::to_string(i), .why = "away", .at = {}, .reads = 1});
  progress->failed({.path = "/nix/store/x-0", .why = "it lies", .at = {}, .reads = 4});
  const auto waits = log.begin(request("shop", "job"));
  waits->eager("no\nindex");
  const auto answer = starts_seen_by(log, nullptr, {});
  ASSERT_EQ(answer.starts_size(), 2);
  EXPECT_EQ(answer.starts(0).lazy(), "lazy");
  const status::v1::LazyStart& lazy = answer.starts(0).lazy_start();
  EXPECT_EQ(lazy.closure_bytes(), 100U);
  EXPECT_EQ(lazy.missing_bytes(), 80U);
  EXPECT_TRUE(lazy.has_profile());
  EXPECT_EQ(lazy.profile_bytes(), 7U);
  EXPECT_EQ(lazy.ready_at(), 1500);
  EXPECT_EQ(lazy.bytes_at_ready(), 20U);
  EXPECT_EQ(lazy.whole_at(), 0);
  EXPECT_EQ(lazy.bytes(), 75U);
  EXPECT_EQ(lazy.reads_waited(), 3U);
  ASSERT_EQ(static_cast<size_t>(lazy.failures_size()), LazyProgress::most_failures);
  EXPECT_EQ(lazy.failures(0).path(), "/nix/store/x-0");
  EXPECT_EQ(lazy.failures(0).why(), "it lies");
  EXPECT_EQ(lazy.failures(0).reads(), 4U);
  EXPECT_FALSE(answer.starts(1).has_lazy_start());
  EXPECT_EQ(answer.starts(1).lazy().find('\n'), std::string::npos);
}

TEST(StartLogTest, AStartThatGoesWithoutAnEndIsForgotten) {
  StartLog log;
  log.begin(request("shop", "web")).reset();
  EXPECT_TRUE(log.starts().empty());
}

TEST(StartLogTest, ANamespaceThatStartsALotLeavesTheOthersTheirStarts) {
  StartLog log;
  log.begin(request("quiet", "web"))->prepared("");
  const auto under_way = log.begin(request("hostile", "first"));
  for (size_t i = 0; i < 2 * StartLog::most_of_namespace; ++i)
    log.begin(request("hostile", std::to_string(i)))->prepared("");
  for (size_t i = 0; i < 2 * StartLog::most / StartLog::most_of_namespace; ++i)
    for (size_t k = 0; k < StartLog::most_of_namespace; ++k)
      log.begin(request("hostile" + std::to_string(i), std::to_string(k)))->prepared("");
  const auto all = log.starts();
  EXPECT_LE(all.size(), StartLog::most + 1);
  EXPECT_EQ(std::ranges::count(all, "quiet", &StartLog::Record::pod_namespace), 1);
  EXPECT_EQ(log.under_way(), 1U);
  under_way->prepared("");
}

class StartsOfOthersTest : public testing::Test {
 protected:
  // What the pod is told; null: the operator.
  status::v1::StartsAnswer told(const Container* asking, const status::v1::StartsRequest& what = {}) const {
    return starts_seen_by(log, asking, what);
  }
  static Container pod(const std::string& pod_namespace, const std::string& name) {
    return {.id = name,
            .pod_id = name,
            .pod_namespace = pod_namespace,
            .pod_name = name,
            .name = "main",
            .view = {}};
  }
  StartLog log;
};

TEST_F(StartsOfOthersTest, APodSeesItsNamespaceAndCountsTheRest) {
  const auto other = log.begin(request("bank", "secret", "bank/vault:1"));
  const StartLog::Start::Turn turn(*other);
  const auto waits = log.begin(request("shop", "web"));
  const Container shop = pod("shop", "cart");
  status::v1::StartsRequest everything;
  const auto answer = told(&shop, everything);
  ASSERT_EQ(answer.starts_size(), 1);
  EXPECT_EQ(answer.starts(0).pod_name(), "web");
  EXPECT_EQ(answer.starts(0).waiting().reason(), "turn");
  EXPECT_EQ(answer.starts(0).waiting().holders_size(), 0);
  EXPECT_EQ(answer.starts(0).waiting().others(), 1U);
  EXPECT_EQ(answer.SerializeAsString().find("vault"), std::string::npos);
  everything.set_pod_namespace("bank");
  EXPECT_EQ(told(&shop, everything).starts_size(), 0);
  EXPECT_EQ(told(nullptr).starts_size(), 2);
  EXPECT_EQ(told(nullptr).starts(1).waiting().holders(0), "bank/secret/main");
}

TEST_F(StartsOfOthersTest, PodsOfNoNamespaceHaveNothingInCommon) {
  log.begin(request("", "one"))->prepared("");
  log.begin(request("", "two"))->prepared("");
  const Container one = pod("", "one");
  const auto answer = told(&one);
  ASSERT_EQ(answer.starts_size(), 1);
  EXPECT_EQ(answer.starts(0).pod_name(), "one");
}

}  // namespace
}  // namespace flox::node
