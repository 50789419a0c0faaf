#include "ttrpc/client.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include "ttrpc/testing/test_server.h"

namespace flox::ttrpc {
namespace {

using std::chrono::milliseconds;

TEST_F(TtrpcTest, TheCoroutineClientCallsAndReconnects) {
  asio::io_context context;
  Client client(context.get_executor(), path_);
  auto story = [&]() -> asio::awaitable<std::string> {
    std::string result = co_await client.call("test", "echo", "one ", milliseconds(5000));
    try {
      co_await client.call("test", "wait", "", milliseconds(20));
    } catch (const Error& error) {
      result += to_string(error.kind());
    }
    result += co_await client.call("test", "echo", " two", milliseconds(5000));
    co_return result;
  };
  auto result = asio::co_spawn(context, story(), asio::use_future);
  context.run();
  EXPECT_EQ(result.get(), "one unavailable two");
}

TEST_F(TtrpcTest, ACallMayBelongToATraceAndWhatIsTooLongForOneIsNone) {
  asio::io_context context;
  Client client(context.get_executor(), path_);
  auto traces = [&]() -> asio::awaitable<std::vector<std::string>> {
    std::vector<std::string> heard;
    for (const std::string& said : {std::string(), std::string("00-a-b-01"), std::string(101, 'x')})
      heard.push_back(co_await client.call("test", "trace", "", milliseconds(5000), said));
    co_return heard;
  };
  auto result = asio::co_spawn(context, traces(), asio::use_future);
  context.run();
  EXPECT_EQ(result.get(), (std::vector<std::string>{"", "00-a-b-01", ""}));
}

}  // namespace
}  // namespace flox::ttrpc
