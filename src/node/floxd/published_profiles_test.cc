#include "node/floxd/published_profiles.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "base/error.h"

namespace flox::node {
namespace {

using std::chrono::milliseconds;

catalog::StartProfile some_profile() {
  return {.paths = {{nix::StorePath::from_base_name(std::string(32, '0') + "-tool-1.0"), {{"a", 0, 10}}}}};
}

TEST(PublishedProfilesTest, GivesWhatTheCatalogHasAndNothingWhereItHasNone) {
  PublishedProfiles profiles([](const std::string& reference) {
    return reference == "acme/web" ? std::optional(some_profile()) : std::nullopt;
  });
  ASSERT_TRUE(profiles.find("acme/web"));
  EXPECT_EQ(profiles.find("acme/web")->paths.size(), 1u);
  EXPECT_FALSE(profiles.find("tool"));
  EXPECT_TRUE(profiles.find("acme/web")) << "that there is none is no reason to stop asking";
}

TEST(PublishedProfilesTest, ACatalogThatIsAwayIsAskedOnceInAWhile) {
  std::atomic<int> asked = 0;
  const auto ask = [&](const std::string&) -> std::optional<catalog::StartProfile> {
    ++asked;
    fail(ErrorKind::unavailable, "away");
  };
  PublishedProfiles profiles(ask, {.patience = milliseconds(60'000), .rest = milliseconds(60'000)});
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(profiles.find("acme/web"));
  EXPECT_EQ(asked, 1);
  PublishedProfiles restless(ask, {.patience = milliseconds(60'000), .rest = milliseconds(0)});
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(restless.find("acme/web"));
  EXPECT_EQ(asked, 6);
}

TEST(PublishedProfilesTest, AStartDoesNotWaitForACatalogThatDoesNotAnswer) {
  std::promise<void> end;
  const std::shared_future<void> ended = end.get_future().share();
  std::atomic<int> asked = 0;
  PublishedProfiles profiles(
      [&](const std::string&) -> std::optional<catalog::StartProfile> {
        ++asked;
        ended.wait();
        return some_profile();
      },
      {.patience = milliseconds(10), .rest = milliseconds(600'000)});
  EXPECT_FALSE(profiles.find("acme/web"));  // or it would never return
  EXPECT_FALSE(profiles.find("acme/api"));
  EXPECT_LE(asked, 1);
  end.set_value();
}

}  // namespace
}  // namespace flox::node
