#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <thread>

#include "base/file.h"
#include "ttrpc/blocking_client.h"
#include "ttrpc/client.h"
#include "ttrpc/envelope.h"
#include "ttrpc/frame.h"
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

}  // namespace
}  // namespace flox::ttrpc
