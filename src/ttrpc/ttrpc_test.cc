#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <optional>
#include <set>
#include <thread>

#include "base/os/file.h"
#include "ttrpc/blocking_client.h"
#include "ttrpc/client.h"
#include "ttrpc/envelope.h"
#include "ttrpc/frame.h"
#include "ttrpc/peer.h"
#include "ttrpc/server.h"
#include "ttrpc/ttrpc.pb.h"

namespace flox::ttrpc {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using testing::HasSubstr;

// A server of the service "test" on a socket of its own, on a thread of its own.
class TtrpcTest : public testing::Test {
 protected:
  TtrpcTest()
      : path_(directory_.path() / "s"),
        server_(context_.get_executor(), listen_at(path_)),
        release_(context_) {
    release_.expires_at(asio::steady_timer::time_point::max());
    server_.handle("test", "echo",
                   [](Request request) -> asio::awaitable<std::string> { co_return request.payload; });
    server_.handle("test", "who", [](Request request) -> asio::awaitable<std::string> {
      co_return fmt::format("{} {} {}", request.peer.pid, request.peer.uid, request.timeout.count());
    });
    server_.handle("test", "missing", [](Request) -> asio::awaitable<std::string> {
      throw Error(ErrorKind::not_found, "realising web: no such package", "Publish it first.");
      co_return "";
    });
    server_.handle("test", "busy", [](Request) -> asio::awaitable<std::string> {
      throw StatusError(Code::failed_precondition, "init has exited");
      co_return "";
    });
    server_.handle("test", "wait", [this](Request) -> asio::awaitable<std::string> {
      boost::system::error_code ignored;
      try {
        co_await release_.async_wait(asio::use_awaitable);
      } catch (const boost::system::system_error&) {  // cancelled: released
      }
      co_return "released";
    });
    server_.handle("test", "release", [this](Request) -> asio::awaitable<std::string> {
      release_.cancel();
      co_return "";
    });
    server_.handle("test", "huge", [](Request) -> asio::awaitable<std::string> {
      co_return std::string(max_payload + 1, 'x');
    });
    thread_ = std::thread([this] { context_.run(); });
  }
  ~TtrpcTest() override {
    context_.stop();
    thread_.join();
  }

  // A raw connection, to misbehave on.
  struct Raw {
    explicit Raw(const std::string& path) : fd(connect_to(path)) {}
    void send(std::string_view bytes) { write_all(fd.get(), bytes); }
    std::pair<FrameHeader, wire::Response> receive() {
      std::array<char, header_size> bytes;
      read_exactly(bytes.data(), bytes.size());
      FrameHeader header = decode_header(bytes.data());
      std::string payload(header.length, '\0');
      read_exactly(payload.data(), payload.size());
      wire::Response response;
      EXPECT_TRUE(response.ParseFromString(payload));
      return {header, response};
    }
    void read_exactly(char* buffer, size_t size) {
      while (size > 0) {
        size_t got = read_some(fd.get(), buffer, size);
        ASSERT_GT(got, 0U) << "the server closed the connection";
        buffer += got;
        size -= got;
      }
    }
    Fd fd;
  };

  TempDir directory_;
  std::string path_;
  asio::io_context context_;
  Server server_;
  asio::steady_timer release_;
  std::thread thread_;
};

std::string header(uint32_t length, uint32_t stream, char type, char flags) {
  std::string bytes;
  for (uint32_t value : {length, stream})
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(value >> shift));
  return bytes + type + flags;
}

TEST_F(TtrpcTest, AnswersCalls) {
  BlockingClient client(path_);
  EXPECT_EQ(client.call("test", "echo", "hello"), "hello");
  EXPECT_EQ(client.call("test", "echo", ""), "");
  std::string big(3 << 20, 'b');
  EXPECT_EQ(client.call("test", "echo", big, milliseconds(5000)), big);
}

TEST_F(TtrpcTest, TellsTheHandlerWhoAsksAndForHowLong) {
  BlockingClient client("unix://" + path_);
  EXPECT_EQ(client.call("test", "who", "", milliseconds(1500)),
            fmt::format("{} {} 1500000000", getpid(), getuid()));
}

TEST_F(TtrpcTest, CarriesErrorsWithKindAndAdvice) {
  BlockingClient client(path_);
  try {
    client.call("test", "missing", "");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_STREQ(error.what(), "realising web: no such package");
    EXPECT_EQ(error.advice(), "Publish it first.");
  }
}

TEST_F(TtrpcTest, EveryErrorKindSurvivesTheRoundTrip) {
  for (ErrorKind kind : {ErrorKind::not_found, ErrorKind::invalid_input, ErrorKind::untrusted,
                         ErrorKind::conflict, ErrorKind::unavailable, ErrorKind::internal})
    EXPECT_EQ(error_of(status_of(Error(kind, "x"))).kind(), kind);
  EXPECT_EQ(status_of(StatusError(Code::failed_precondition, "x")).code, Code::failed_precondition);
  EXPECT_EQ(status_of(std::runtime_error("x")).code, Code::unknown);
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

TEST_F(TtrpcTest, ACallThatWaitsDoesNotHoldUpOthersOfItsConnection) {
  Raw raw(path_);
  raw.send(encode_request(1, "test", "wait", "", {}));
  raw.send(encode_request(3, "test", "echo", "meanwhile", {}));
  auto [first_header, first] = raw.receive();
  EXPECT_EQ(first_header.stream, 3U);
  EXPECT_EQ(first.payload(), "meanwhile");
  raw.send(encode_request(5, "test", "release", "", {}));
  std::set<uint32_t> streams{raw.receive().first.stream, raw.receive().first.stream};
  EXPECT_THAT(streams, testing::ElementsAre(1, 5));
}

TEST_F(TtrpcTest, AnOversizedMessageIsRefusedAndTheConnectionKept) {
  Raw raw(path_);
  raw.send(header(max_payload + 10, 1, 1, 0));
  raw.send(std::string(max_payload + 10, 'x'));
  EXPECT_EQ(raw.receive().second.status().code(), 8);
  raw.send(encode_request(3, "test", "echo", "still here", {}));
  EXPECT_EQ(raw.receive().second.payload(), "still here");
}

TEST_F(TtrpcTest, AnOversizedAnswerIsAnError) {
  BlockingClient client(path_);
  EXPECT_THROW(client.call("test", "huge", ""), Error);
  EXPECT_EQ(client.call("test", "echo", "fine"), "fine");
}

TEST_F(TtrpcTest, EvenRepeatedAndFallingStreamNumbersAreInvalid) {
  Raw raw(path_);
  for (uint32_t stream : {2U, 0U}) {
    raw.send(encode_request(stream, "test", "echo", "", {}));
    EXPECT_EQ(raw.receive().second.status().code(), 3);
  }
  raw.send(encode_request(7, "test", "echo", "", {}));
  EXPECT_EQ(raw.receive().second.status().code(), 0);
  for (uint32_t stream : {7U, 5U}) {
    raw.send(encode_request(stream, "test", "echo", "", {}));
    EXPECT_EQ(raw.receive().second.status().code(), 3);
  }
}

TEST_F(TtrpcTest, FramesOfUnknownTypeAreIgnored) {
  Raw raw(path_);
  raw.send(header(3, 1, 9, 0) + "abc");
  raw.send(header(0, 1, 3, 5));
  raw.send(encode_request(1, "test", "echo", "x", {}));
  EXPECT_EQ(raw.receive().second.payload(), "x");
}

TEST_F(TtrpcTest, AMalformedRequestIsInvalidAndAStreamingOneUnimplemented) {
  Raw raw(path_);
  raw.send(encode_frame(1, type_request, "\xff\xff\xff"));
  EXPECT_EQ(raw.receive().second.status().code(), 3);
  std::string streaming = encode_request(3, "test", "echo", "", {});
  streaming[9] = 2;
  raw.send(streaming);
  EXPECT_EQ(raw.receive().second.status().code(), 12);
}

TEST_F(TtrpcTest, AConnectionCutOffWithinAFrameHurtsNobodyElse) {
  {
    Raw raw(path_);
    raw.send(header(100, 1, 1, 0).substr(0, 6));
  }
  {
    Raw raw(path_);
    raw.send(header(100, 1, 1, 0) + "only a part");
  }
  {
    Raw raw(path_);
    raw.send(encode_request(1, "test", "wait", "", {}));
  }
  BlockingClient client(path_);
  EXPECT_EQ(client.call("test", "echo", "fine"), "fine");
}

TEST_F(TtrpcTest, ATimeOutIsUnavailable) {
  BlockingClient client(path_);
  try {
    client.call("test", "wait", "", milliseconds(30));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    EXPECT_THAT(error.what(), HasSubstr(path_));
  }
}

TEST_F(TtrpcTest, NobodyListeningIsUnavailableAndNamesTheSocket) {
  try {
    BlockingClient client("/nonexistent/node.sock");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    EXPECT_THAT(error.what(), HasSubstr("/nonexistent/node.sock"));
  }
}

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

TEST_F(TtrpcTest, AListeningSocketIsNotTakenOverButAStaleOneIs) {
  EXPECT_THROW(listen_at(path_), Error);
  std::string stale = (directory_.path() / "stale").string();
  listen_at(stale).reset();
  EXPECT_NO_THROW(listen_at(stale));
  remove_if_stale(path_);
  EXPECT_TRUE(std::filesystem::exists(path_)) << "somebody listens there";
  remove_if_stale(stale);
  EXPECT_FALSE(std::filesystem::exists(stale));
  EXPECT_NO_THROW(remove_if_stale(stale));
  EXPECT_THROW(listen_at(std::string(200, 'x')), Error);
}

// A server with limits, of the service "test" with "echo" and "wait" (until the test's end).
class LimitedServer : public testing::Test {
 protected:
  void serve(ServerOptions options) {
    options.refused = [this](Refusal reason) { ++refusals_[static_cast<size_t>(reason)]; };
    server_.emplace(context_.get_executor(), listen_at(path_), std::move(options));
    server_->handle("test", "echo",
                    [](Request request) -> asio::awaitable<std::string> { co_return request.payload; });
    server_->handle("test", "who", [](Request request) -> asio::awaitable<std::string> {
      co_return std::any_cast<std::string>(request.identity);
    });
    server_->handle("test", "wait", [this](Request) -> asio::awaitable<std::string> {
      ++waiting_;
      asio::steady_timer never(context_, asio::steady_timer::time_point::max());
      co_await never.async_wait(asio::use_awaitable);
      co_return "";
    });
    thread_ = std::thread([this] { context_.run(); });
  }
  ~LimitedServer() override {
    context_.stop();
    if (thread_.joinable()) thread_.join();
  }
  int refusals(Refusal reason) { return refusals_[static_cast<size_t>(reason)]; }
  std::string echo(std::string_view text) { return BlockingClient(path_).call("test", "echo", text); }

  TempDir directory_;
  std::string path_ = directory_.path() / "s";
  asio::io_context context_;
  std::optional<Server> server_;
  std::thread thread_;
  std::array<std::atomic<int>, 6> refusals_{};
  std::atomic<int> waiting_ = 0;
};

// Reads until the server closes the connection; what it said.
std::string read_to_end(int fd) {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
    if (got <= 0) return text;
    text.append(buffer, static_cast<size_t>(got));
  }
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

TEST_F(LimitedServer, AClientThatReadsNothingIsNotReadFromEither) {
  serve({.limits = {.unread = 10'000}});
  const Fd raw = connect_to(path_);
  // It can send only what buffers hold: the server stops reading when its answers are not taken.
  size_t sent = 0;
  const std::string request = encode_request(1, "test", "nothing", std::string(10'000, 'x'), {});
  for (pollfd entry{raw.get(), POLLOUT, 0}; ::poll(&entry, 1, 1000) == 1 && sent < 50'000'000;) {
    const ssize_t got = ::send(raw.get(), request.data(), request.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (got > 0) sent += static_cast<size_t>(got);
  }
  EXPECT_LT(sent, 50'000'000U);
  EXPECT_EQ(echo("others are served"), "others are served");
}

TEST_F(LimitedServer, SlowAndIdleConnectionsAreClosedAndOnesWithACallKept) {
  serve({.limits = {.idle_time = milliseconds(100), .frame_time = milliseconds(100)}});
  const Fd idle = connect_to(path_), in_header = connect_to(path_), in_body = connect_to(path_);
  BlockingClient waits(path_);
  write_all(in_header.get(), header(100, 1, 1, 0).substr(0, 3));
  write_all(in_body.get(), header(100, 1, 1, 0) + "abc");
  EXPECT_THROW(waits.call("test", "wait", "", milliseconds(400)), Error) << "this ends by its own time-out";
  for (const Fd* fd : {&idle, &in_header, &in_body}) EXPECT_EQ(read_to_end(fd->get()), "");
  EXPECT_EQ(refusals(Refusal::slow), 2);
  EXPECT_EQ(server_->connections(), 1U);
}

// The process that connected, and the socket at our end.
struct Accepted {
  explicit Accepted(const std::string& path) : listening(listen_at(path)) {}
  Fd accept() {
    pollfd entry{listening.get(), POLLIN, 0};
    ::poll(&entry, 1, -1);
    return Fd(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  Fd listening;
};

class PeerProcessTest : public testing::TestWithParam<PeerProcess::Way> {
 protected:
  TempDir directory_;
  std::string path_ = directory_.path() / "s";
};

TEST_P(PeerProcessTest, ReadsOfTheProcessThatConnected) {
  Accepted server(path_);
  const Fd client = connect_to(path_);
  const Fd accepted = server.accept();
  const PeerProcess process(accepted.get(), GetParam());
  EXPECT_EQ(process.peer().pid, ::getpid());
  EXPECT_EQ(process.read("comm"), read_file("/proc/self/comm"));
  EXPECT_THROW(process.read("comm", 1), Error);
}

TEST_P(PeerProcessTest, OneThatHasEndedIsNobodyAlthoughItsSocketLives) {
  Accepted server(path_);
  const pid_t child = ::fork();
  if (child == 0) {
    const Fd kept = connect_to(path_);
    if (::fork() == 0) {  // holds the connection on, until its other end is closed
      char byte = 0;
      [[maybe_unused]] const ssize_t got = ::recv(kept.get(), &byte, 1, 0);
    }
    ::_exit(0);
  }
  const Fd accepted = server.accept();
  ::waitpid(child, nullptr, 0);
  EXPECT_THROW(PeerProcess(accepted.get(), GetParam()), Error);
}

TEST_P(PeerProcessTest, NothingIsReadOfItOnceItHasEnded) {
  Accepted server(path_);
  Pipe end = make_pipe();
  const pid_t child = ::fork();
  if (child == 0) {
    const Fd kept = connect_to(path_);
    char byte = 0;
    [[maybe_unused]] const ssize_t got = ::read(end.read_end.get(), &byte, 1);
    ::_exit(0);
  }
  const Fd accepted = server.accept();
  const PeerProcess process(accepted.get(), GetParam());
  EXPECT_NE(process.read("cgroup"), "");
  write_all(end.write_end.get(), "x");
  ::waitpid(child, nullptr, 0);
  EXPECT_THROW(process.read("cgroup"), Error);
}

INSTANTIATE_TEST_SUITE_P(Ways, PeerProcessTest,
                         testing::Values(PeerProcess::Way::best, PeerProcess::Way::by_number));

}  // namespace
}  // namespace flox::ttrpc
