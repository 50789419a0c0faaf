// Servers for tests, on sockets and threads of their own, and clients that misbehave.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "base/os/file.h"
#include "ttrpc/blocking_client.h"
#include "ttrpc/frame.h"
#include "ttrpc/server.h"
#include "ttrpc/socket.h"
#include "ttrpc/ttrpc.pb.h"

namespace flox::ttrpc {

namespace asio = boost::asio;

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
      co_return fmt::format("{} {} {}", request.call.peer.pid, request.call.peer.uid,
                            request.call.timeout.count());
    });
    server_.handle("test", "trace", [](Request request) -> asio::awaitable<std::string> {
      co_return request.call.traceparent;
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

// The header of a frame.
inline std::string header(uint32_t length, uint32_t stream, char type, char flags) {
  std::string bytes;
  for (uint32_t value : {length, stream})
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(value >> shift));
  return bytes + type + flags;
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
      co_return std::any_cast<std::string>(request.call.identity);
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
inline std::string read_to_end(int fd) {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
    if (got <= 0) return text;
    text.append(buffer, static_cast<size_t>(got));
  }
}

}  // namespace flox::ttrpc
