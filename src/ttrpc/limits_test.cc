#include "ttrpc/limits.h"

#include <gtest/gtest.h>

#include "ttrpc/envelope.h"
#include "ttrpc/testing/test_server.h"

namespace flox::ttrpc {
namespace {

TEST_F(LimitedServer, ConnectionsAreCountedByClientAndInAll) {
  serve({.identify = [names = 0](const PeerProcess&) mutable -> Caller {
           return {names++ < 3 ? "first" : "second", {}};
         },
         .limits = {.connections = 3, .connections_of_client = 2}});
  BlockingClient one(path_), two(path_);
  EXPECT_EQ(one.call("test", "echo", "1"), "1");
  EXPECT_EQ(two.call("test", "echo", "2"), "2");
  EXPECT_THROW(echo("a third of the first client"), Error);
  BlockingClient other(path_);
  EXPECT_EQ(other.call("test", "echo", "3"), "3");
  EXPECT_THROW(echo("a fourth in all"), Error);
  EXPECT_EQ(refusals(Refusal::connections), 2);
  EXPECT_EQ(server_->connections(), 3U);
}

TEST_F(LimitedServer, APlaceIsFreeAgainWhenAConnectionEnds) {
  serve({.limits = {.connections = 1}});
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(echo("x"), "x");
    while (server_->connections() > 0) std::this_thread::yield();
  }
}

TEST_F(LimitedServer, ALargerMessageIsRefusedAndTheConnectionKept) {
  serve({.limits = {.message = 1000}});
  BlockingClient client(path_);
  EXPECT_THROW(client.call("test", "echo", std::string(1000, 'x')), Error);
  EXPECT_EQ(client.call("test", "echo", "small"), "small");
  EXPECT_EQ(refusals(Refusal::message), 1);
}

TEST_F(LimitedServer, AnnouncedBytesAreNobodysThatArrivedAreCounted) {
  serve({.limits = {.bytes_of_client = 100'000}});
  std::vector<Fd> idle;
  for (int i = 0; i < 20; ++i) {
    idle.push_back(connect_to(path_));
    write_all(idle.back().get(), header(max_payload, 1, 1, 0));
  }
  EXPECT_EQ(echo("meanwhile"), "meanwhile");
  BlockingClient client(path_);
  EXPECT_THROW(client.call("test", "echo", std::string(100'001, 'x')), Error);
  EXPECT_EQ(refusals(Refusal::bytes), 1);
  EXPECT_EQ(client.call("test", "echo", std::string(90'000, 'x')).size(), 90'000U);
}

TEST_F(LimitedServer, ARequestThatIsBeingAnsweredCountsUntilItsAnswer) {
  serve({.limits = {.bytes = 100'000}});
  const Fd asks = connect_to(path_);
  write_all(asks.get(), encode_request(1, "test", "wait", std::string(80'000, 'x'), {}));
  while (waiting_ == 0) std::this_thread::yield();
  EXPECT_THROW(echo(std::string(50'000, 'x')), Error);
  EXPECT_EQ(refusals(Refusal::bytes), 1);
}

TEST_F(LimitedServer, AConnectionHasSoManyCallsAtOnce) {
  serve({.limits = {.calls_of_connection = 2}});
  const Fd raw = connect_to(path_);
  for (uint32_t stream : {1U, 3U, 5U}) write_all(raw.get(), encode_request(stream, "test", "wait", "", {}));
  while (refusals(Refusal::calls) == 0) std::this_thread::yield();
  EXPECT_EQ(refusals(Refusal::calls), 1);
}

}  // namespace
}  // namespace flox::ttrpc
