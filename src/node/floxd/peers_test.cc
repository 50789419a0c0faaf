#include "node/floxd/peers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace flox::node {
namespace {

using std::chrono::minutes;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(ShunnedPeers, one_that_failed_is_asked_again_soon_and_one_that_lied_is_not) {
  ShunnedPeers shunned;
  const ShunnedPeers::Time now{std::chrono::hours(1)};
  shunned.note({.address = "10.0.0.1:9810", .paths = 3}, now);
  EXPECT_THAT(shunned.at(now), IsEmpty());
  shunned.note({.address = "10.0.0.1:9810", .failed = true}, now);
  shunned.note({.address = "10.0.0.2:9810", .failed = true, .lied = true}, now);
  EXPECT_THAT(shunned.at(now), ElementsAre("10.0.0.1:9810", "10.0.0.2:9810"));
  EXPECT_THAT(shunned.at(now + minutes(1)), ElementsAre("10.0.0.2:9810"));
  shunned.note({.address = "10.0.0.2:9810", .failed = true}, now + minutes(1));
  EXPECT_THAT(shunned.at(now + minutes(59)), ElementsAre("10.0.0.2:9810")) << "it lied all the same";
  EXPECT_THAT(shunned.at(now + minutes(61)), IsEmpty());
}

TEST(PeerListener, a_taken_address_keeps_nobody_from_starting_and_is_taken_when_it_is_free) {
  auto other = std::make_unique<HttpServer>(HttpServerOptions{},
                                            [](const ServerRequest&) { return ServerResponse(); });
  const uint16_t port = other->port();
  std::atomic<int> failures = 0;
  std::atomic<bool> listens = false;
  const PeerListener listener(
      [&] {
        return std::make_unique<HttpServer>(HttpServerOptions{.port = port},
                                            [](const ServerRequest&) { return ServerResponse(); });
      },
      [&](bool is_listening) {
        if (!is_listening) ++failures;
        listens = is_listening;
      },
      std::chrono::milliseconds(10));
  EXPECT_EQ(listener.port(), std::nullopt);
  EXPECT_GE(failures, 1);
  other.reset();
  for (int i = 0; i < 3000 && !listens; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(listener.port(), port);
}

TEST(PeerListener, ends_while_the_address_is_taken) {
  const HttpServer other(HttpServerOptions{}, [](const ServerRequest&) { return ServerResponse(); });
  const PeerListener listener(
      [&] {
        return std::make_unique<HttpServer>(HttpServerOptions{.port = other.port()},
                                            [](const ServerRequest&) { return ServerResponse(); });
      },
      [](bool) {}, std::chrono::hours(1));
  EXPECT_EQ(listener.port(), std::nullopt);
}

}  // namespace
}  // namespace flox::node
