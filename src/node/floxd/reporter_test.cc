#include "node/floxd/reporter.h"

#include <gtest/gtest.h>

#include <deque>
#include <future>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace flox::node {
namespace {

using nlohmann::json;

std::map<std::string, Container> running(std::initializer_list<RunEnvironment> environments) {
  std::map<std::string, Container> containers;
  for (const RunEnvironment& one : environments) {
    Container container{.id = "c" + std::to_string(containers.size())};
    container.environment = one;
    containers[container.id] = container;
  }
  return containers;
}

TEST(NodeReport, counts_the_containers_of_each_generation_and_leaves_out_what_is_no_environment) {
  const auto containers =
      running({{"acme", "web", 1}, {"acme", "web", 2}, {"acme", "web", 2}, {}, {"acme", "db", 1}});
  EXPECT_EQ(node_report(containers, std::chrono::seconds(900)),
            (json{{"valid_seconds", 900},
                  {"environments",
                   {{{"owner", "acme"}, {"name", "web"}, {"generation", 2}, {"containers", 2}},
                    {{"owner", "acme"}, {"name", "db"}, {"generation", 1}, {"containers", 1}},
                    {{"owner", "acme"}, {"name", "web"}, {"generation", 1}, {"containers", 1}}}}}));
}

TEST(NodeReport, of_more_than_the_catalog_takes_those_in_the_most_containers_are_reported) {
  std::map<std::string, Container> containers;
  for (int i = 0; i < 1'000; ++i) {
    Container one{.id = std::to_string(i)};
    one.environment = {"acme", "web", 1 + i % 300};
    containers[one.id] = one;
  }
  const json report = node_report(containers, std::chrono::seconds(900));
  ASSERT_EQ(report["environments"].size(), 256U);
  EXPECT_EQ(report["environments"][0]["containers"], 4);
  EXPECT_EQ(report["environments"][255]["containers"], 3);
}

TEST(ReportName, is_a_name_and_no_path) {
  EXPECT_NO_THROW(check_report_name("node-1.example.org"));
  for (const char* name : {"", "-a", "a/b", "a b", "..", "\xc3\xa4"})
    EXPECT_THROW(check_report_name(name), Error) << name;
  EXPECT_THROW(check_report_name(std::string(254, 'a')), Error);
}

// What a reporter sends, one after the other; the first that fails is the caller's to choose.
class ReporterTest : public testing::Test {
 protected:
  std::unique_ptr<Reporter> start(std::chrono::seconds interval) {
    return std::make_unique<Reporter>(
        Reporter::Options{.interval = interval,
                          .look_interval = std::chrono::milliseconds(5),
                          .containers =
                              [this] {
                                const std::scoped_lock lock(mutex_);
                                return containers_;
                              },
                          .send = [this](const json& report) { take(report); }});
  }
  void run(std::initializer_list<RunEnvironment> environments) {
    const std::scoped_lock lock(mutex_);
    containers_ = running(environments);
  }
  size_t wait_for_report() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !sent_.empty(); });
    const size_t count = sent_.front()["environments"].size();
    sent_.pop_front();
    return count;
  }
  bool fails_ = false;

 private:
  void take(const json& report) {
    {
      const std::scoped_lock lock(mutex_);
      sent_.push_back(report);
    }
    changed_.notify_all();
    if (fails_) fail(ErrorKind::unavailable, "the catalog is away");
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Container> containers_;
  std::deque<json> sent_;
};

TEST_F(ReporterTest, reports_at_the_start_and_when_something_else_runs) {
  run({{"acme", "web", 1}});
  const auto reporter = start(std::chrono::hours(1));
  EXPECT_EQ(wait_for_report(), 1U);
  run({{"acme", "web", 1}, {"acme", "db", 1}});
  EXPECT_EQ(wait_for_report(), 2U);
  run({});
  EXPECT_EQ(wait_for_report(), 0U);
}

TEST_F(ReporterTest, reports_again_before_the_last_report_expires_even_when_one_could_not_be_sent) {
  fails_ = true;
  const auto reporter = start(std::chrono::seconds(1));
  EXPECT_EQ(wait_for_report(), 0U);
  EXPECT_EQ(wait_for_report(), 0U);
}

}  // namespace
}  // namespace flox::node
