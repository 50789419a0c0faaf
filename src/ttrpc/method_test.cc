#include "ttrpc/method.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <thread>

#include "base/os/file.h"
#include "testing/error_of.h"
#include "ttrpc/blocking_client.h"
#include "ttrpc/client.h"
#include "ttrpc/server.h"
#include "ttrpc/socket.h"
#include "ttrpc/ttrpc.pb.h"

namespace flox::ttrpc {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

constexpr Method<wire::KeyValue, wire::Status> greet{"test.v1.Greeter", "Greet"};
constexpr Method<wire::KeyValue, wire::Status> mumble{"test.v1.Greeter", "Mumble"};

class MethodTest : public testing::Test {
 protected:
  MethodTest() {
    server_.handle(greet, [](wire::KeyValue request, Call call) -> asio::awaitable<wire::Status> {
      wire::Status answer;
      answer.set_code(static_cast<int>(call.timeout / milliseconds(1)));
      answer.set_message(request.key() + ", " + request.value());
      co_return answer;
    });
    server_.handle(mumble.service, mumble.name,
                   [](Request) -> asio::awaitable<std::string> { co_return "\xff\xff"; });
    thread_ = std::thread([this] { context_.run(); });
  }
  ~MethodTest() override {
    context_.stop();
    thread_.join();
  }
  static wire::KeyValue hello() {
    wire::KeyValue request;
    request.set_key("hello");
    request.set_value("world");
    return request;
  }

  TempDir directory_;
  std::string path_ = directory_.path() / "s";
  asio::io_context context_;
  Server server_{context_.get_executor(), listen_at(path_)};
  std::thread thread_;
};

TEST_F(MethodTest, IsCalledAndAnsweredWithMessages) {
  const wire::Status answer = BlockingClient(path_).call(greet, hello(), milliseconds(1500));
  EXPECT_EQ(answer.message(), "hello, world");
  EXPECT_EQ(answer.code(), 1500);

  asio::io_context context;
  Client client(context.get_executor(), path_);
  auto result = asio::co_spawn(context, client.call(greet, hello(), milliseconds(1500)), asio::use_future);
  context.run();
  EXPECT_EQ(result.get().message(), "hello, world");
}

TEST_F(MethodTest, ARequestThatIsNoneOfItsMessagesIsInvalid) {
  BlockingClient client(path_);
  EXPECT_EQ(flox::error_of([&] { client.call(greet.service, greet.name, "\xff\xff"); }),
            "malformed Greet request");
}

TEST_F(MethodTest, AnAnswerThatIsNoneOfItsMessagesIsAnError) {
  BlockingClient client(path_);
  EXPECT_EQ(flox::error_of([&] { client.call(mumble, hello()); }, ErrorKind::internal),
            "malformed answer to Mumble");
}

}  // namespace
}  // namespace flox::ttrpc
