// What an exec gets of the activation.
#include "shim/imageless/imageless.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <optional>
#include <thread>

#include "base/os/file.h"
#include "protocol/node.ttrpc.h"
#include "ttrpc/server.h"
#include "ttrpc/socket.h"

namespace flox::shim {
namespace {

using testing::ElementsAre;

TEST(ImagelessTest, AnExecRunsInTheActivationButItsOwnWishesWin) {
  Activation activation;
  activation.before = {"PATH=/bin", "GONE=1", "POD=a", "MODE=old"};
  activation.after = {"PATH=/env/bin:/bin", "POD=a", "MODE=old", "FLOX_ENV=/env"};
  EXPECT_THAT(activation.merged({"PATH=/bin", "GONE=1", "POD=a", "MODE=new", "TERM=xterm"}),
              ElementsAre("PATH=/env/bin:/bin", "POD=a", "MODE=new", "TERM=xterm", "FLOX_ENV=/env"));
  EXPECT_THAT(activation.merged({"PATH=/mine"}), testing::Contains("PATH=/mine"));
}

// Comparing each with each, this would take minutes.
TEST(ImagelessTest, AnExecWithVeryManyVariablesIsMerged) {
  Activation activation;
  for (int i = 0; i < 100'000; ++i) activation.before.push_back(fmt::format("V{}=1", i));
  activation.after = activation.before;
  activation.after.emplace_back("FLOX_ENV=/env");
  EXPECT_EQ(activation.merged(activation.before), activation.after);
}

// floxd fetches for longer than it may be away, and is replaced then.
TEST(ImagelessTest, AFloxdThatEndsWhileItFetchesIsAskedAgain) {
  const TempDir directory;
  const std::string path = directory.path() / "s";
  const Fd listening = ttrpc::listen_at(path);  // as systemd keeps it
  constexpr Milliseconds patience{200};
  asio::io_context context;
  Imageless imageless(context.get_executor(), path, patience);
  oci::RuntimeSpec spec = oci::RuntimeSpec::parse(R"({"process":{"args":["sh"]}})");
  auto asked = asio::co_spawn(
      context,
      imageless.prepare_volumes("id", spec, {}, {.limit = std::chrono::minutes(1), .traceparent = {}}),
      asio::use_future);
  std::optional<ttrpc::Server> next;
  std::thread first([&] {
    pollfd waiting{listening.get(), POLLIN, 0};
    ::poll(&waiting, 1, -1);
    const Fd connection(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::this_thread::sleep_for(patience * 2);
    asio::post(context, [&] {
      next.emplace(context.get_executor(), Fd(::dup(listening.get())));
      next->handle(
          node::v1::Node::Prepare,
          [](node::v1::PrepareRequest, const ttrpc::Call&) -> asio::awaitable<node::v1::PrepareResponse> {
            throw Error(ErrorKind::not_found, "the next one answers");
            co_return node::v1::PrepareResponse();
          });
    });
  });
  std::thread runs([&] { context.run(); });
  try {
    asked.get();
    ADD_FAILURE() << "it was answered";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found) << error.what();
  }
  context.stop();
  runs.join();
  first.join();
}

}  // namespace
}  // namespace flox::shim
