// Starts of containers that wait for somebody leave room for others.
#include "node/starts.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>
#include <vector>

#include "base/error.h"

namespace flox::node {
namespace {

namespace asio = boost::asio;

class StartsTest : public testing::Test {
 protected:
  // Whether there was a place within the limits' time; it is kept.
  bool takes(Starts& starts, const char* name) {
    bool got = false;
    asio::io_context loop;
    asio::co_spawn(
        loop,
        [&]() -> asio::awaitable<void> {
          try {
            places_.push_back(co_await starts.take(name));
            got = true;
          } catch (const Error& error) {
            EXPECT_EQ(error.kind(), ErrorKind::unavailable);
          }
        },
        asio::detached);
    loop.run();
    return got;
  }
  std::vector<Starts::Place> places_;
};

TEST_F(StartsTest, one_namespace_does_not_take_the_places_of_others) {
  Starts starts({.all = 3, .of_namespace = 2, .wait = std::chrono::seconds(0)});
  EXPECT_TRUE(takes(starts, "a"));
  EXPECT_TRUE(takes(starts, "a"));
  EXPECT_FALSE(takes(starts, "a"));
  EXPECT_TRUE(takes(starts, "b"));
  EXPECT_FALSE(takes(starts, "b"));  // all are taken
  places_.pop_back();
  EXPECT_FALSE(takes(starts, "a"));
  EXPECT_TRUE(takes(starts, "c"));
  places_.clear();
  EXPECT_TRUE(takes(starts, "a"));
  places_.clear();
}

}  // namespace
}  // namespace flox::node
