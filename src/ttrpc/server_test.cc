#include "ttrpc/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ttrpc/envelope.h"
#include "ttrpc/testing/test_server.h"

namespace flox::ttrpc {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

TEST_F(TtrpcTest, TellsTheHandlerWhoAsksAndForHowLong) {
  BlockingClient client("unix://" + path_);
  EXPECT_EQ(client.call("test", "who", "", milliseconds(1500)),
            fmt::format("{} {} 1500000000", getpid(), getuid()));
}

TEST_F(TtrpcTest, UnknownServicesAndMethodsAreUnimplemented) {
  Raw raw(path_);
  raw.send(encode_request(1, "nobody", "echo", "", {}));
  auto [first_header, first] = raw.receive();
  EXPECT_EQ(first.status().code(), 12);
  EXPECT_EQ(first.status().message(), "service nobody");
  raw.send(encode_request(3, "test", "nothing", "", {}));
  auto [second_header, second] = raw.receive();
  EXPECT_EQ(second_header.stream, 3U);
  EXPECT_EQ(second.status().message(), "method nothing");
}

TEST_F(LimitedServer, WhoConnectedIsAskedOnceAndBeforeAnythingIsRead) {
  int asked = 0;
  serve({.identify = [&](const PeerProcess& process) -> Caller {
    ++asked;
    return {"me", fmt::format("{} {}", process.peer().pid, process.read("comm"))};
  }});
  BlockingClient client(path_);
  const std::string expected = fmt::format("{} {}", ::getpid(), read_file("/proc/self/comm"));
  EXPECT_EQ(client.call("test", "who", ""), expected);
  EXPECT_EQ(client.call("test", "who", ""), expected);
  EXPECT_EQ(asked, 1);
}

TEST_F(LimitedServer, AClientThatIsNobodyIsToldSoAndCutOffBeforeItSaysAWord) {
  serve({.identify = [](const PeerProcess&) -> Caller {
    throw Error(ErrorKind::untrusted, "you are nobody", "Be somebody.");
  }});
  const Fd silent = connect_to(path_);
  EXPECT_THAT(read_to_end(silent.get()), HasSubstr("you are nobody"));
  try {
    echo(std::string(300'000, 'x'));  // more than a socket's buffer holds
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::untrusted) << error.what();
    EXPECT_EQ(error.advice(), "Be somebody.");
  }
  EXPECT_EQ(refusals(Refusal::identity), 2);
}

}  // namespace
}  // namespace flox::ttrpc
