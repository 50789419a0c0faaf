// The HTTP pool against a server that breaks off, is overloaded, or says less than it should.
#include "base/net/http_pool.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <mutex>
#include <thread>

#include "base/error.h"
#include "base/os/fd.h"

namespace flox {
namespace {

constexpr BodyLimit limit(64 << 20);

using testing::HasSubstr;
using testing::Not;
using Clock = std::chrono::steady_clock;

// Answers each connection's first request with whatever bytes the test wants, then closes it.
class RawServer {
 public:
  explicit RawServer(std::function<std::string(size_t, const std::string&)> answer)
      : answer_(std::move(answer)) {
    listening_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listening_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listening_.get(), 16) != 0 ||
        ::getsockname(listening_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
      fail(ErrorKind::internal, "starting the test's server");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;
  ~RawServer() {
    ::shutdown(listening_.get(), SHUT_RDWR);
    thread_.join();
  }
  std::string url() const { return fmt::format("http://127.0.0.1:{}/file", port_); }
  std::vector<std::string> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void serve() {
    for (;;) {
      const Fd connection(::accept(listening_.get(), nullptr, nullptr));
      if (!connection) return;
      std::string head;
      char buffer[4096];
      while (head.find("\r\n\r\n") == std::string::npos) {
        const ssize_t got = ::recv(connection.get(), buffer, sizeof buffer, 0);
        if (got <= 0) break;
        head.append(buffer, static_cast<size_t>(got));
      }
      size_t number = 0;
      {
        const std::lock_guard lock(mutex_);
        number = requests_.size();
        requests_.push_back(head);
      }
      std::string_view answer = head.empty() ? std::string_view() : (last_ = answer_(number, head));
      while (!answer.empty()) {
        const ssize_t sent = ::send(connection.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
        if (sent <= 0) break;
        answer.remove_prefix(static_cast<size_t>(sent));
      }
      ::shutdown(connection.get(), SHUT_WR);
    }
  }

  std::function<std::string(size_t, const std::string&)> answer_;
  std::string last_;
  Fd listening_;
  uint16_t port_ = 0;
  std::mutex mutex_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

std::string answer(const std::string& status, const std::string& headers, const std::string& body) {
  return "HTTP/1.1 " + status + "\r\n" + headers + "Connection: close\r\n\r\n" + body;
}
std::string length(size_t size) { return fmt::format("Content-Length: {}\r\n", size); }

std::string body_of(HttpTransfer& transfer) {
  std::string all;
  for (std::string piece; transfer.read(piece);) all += piece;
  return all;
}

std::string numbered(size_t size) {
  std::string text;
  while (text.size() < size) text += std::to_string(text.size()) + " ";
  text.resize(size);
  return text;
}

TransferOptions quick() {
  TransferOptions options;
  options.retry.first_pause = std::chrono::milliseconds(5);
  return options;
}

TEST(HttpPool, a_body_that_breaks_off_is_gone_on_with_where_it_stopped) {
  const std::string text = numbered(10'000);
  RawServer server([&](size_t number, const std::string&) {
    if (number == 0)
      return answer("200 OK", "Accept-Ranges: bytes\r\nETag: \"v1\"\r\n" + length(text.size()),
                    text.substr(0, 4000));
    return answer("206 Partial Content", "Content-Range: bytes 4000-9999/10000\r\n" + length(6000),
                  text.substr(4000));
  });
  HttpPool pool;
  EXPECT_EQ(body_of(*pool.start({.url = server.url(), .max_body = limit}, quick())), text);
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_THAT(requests[0], Not(HasSubstr("Range")));
  EXPECT_THAT(requests[1], HasSubstr("Range: bytes=4000-\r\n"));
  EXPECT_THAT(requests[1], HasSubstr("If-Range: \"v1\"\r\n"));
}

TEST(HttpPool, a_server_without_ranges_is_asked_for_all_of_it_again_and_the_reader_sees_it_once) {
  const std::string text = numbered(10'000);
  RawServer server([&](size_t number, const std::string&) {
    return answer("200 OK", length(text.size()), number < 2 ? text.substr(0, 3000 * (number + 1)) : text);
  });
  HttpPool pool;
  EXPECT_EQ(body_of(*pool.start({.url = server.url(), .max_body = limit}, quick())), text);
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 3u);
  for (const std::string& request : requests) EXPECT_THAT(request, Not(HasSubstr("Range")));
}

TEST(HttpPool, an_encoded_body_is_never_gone_on_with_by_range) {
  const std::string text = numbered(5'000);
  RawServer server([&](size_t number, const std::string&) {
    return answer("200 OK", "Accept-Ranges: bytes\r\nContent-Encoding: identity\r\n" + length(text.size()),
                  number == 0 ? text.substr(0, 1000) : text);
  });
  HttpPool pool;
  EXPECT_EQ(body_of(*pool.start({.url = server.url(), .max_body = limit}, quick())), text);
  EXPECT_THAT(server.requests().at(1), Not(HasSubstr("Range")));
}

TEST(HttpPool, a_range_that_is_answered_with_another_part_is_not_taken_for_the_rest) {
  const std::string text = numbered(5'000);
  RawServer server([&](size_t number, const std::string&) {
    if (number == 0)
      return answer("200 OK", "Accept-Ranges: bytes\r\n" + length(text.size()), text.substr(0, 1000));
    if (number == 1) return answer("416 Range Not Satisfiable", length(0), "");
    return answer("200 OK", length(text.size()), text);
  });
  HttpPool pool;
  EXPECT_EQ(body_of(*pool.start({.url = server.url(), .max_body = limit}, quick())), text);
  EXPECT_THAT(server.requests().at(1), HasSubstr("Range: bytes=1000-"));
  EXPECT_THAT(server.requests().at(2), Not(HasSubstr("Range:")));
}

TEST(HttpPool, an_overloaded_server_is_left_alone_for_as_long_as_it_asks) {
  RawServer server([](size_t number, const std::string&) {
    if (number == 0) return answer("503 Service Unavailable", "Retry-After: 1\r\n" + length(0), "");
    return answer("200 OK", length(2), "ok");
  });
  HttpPool pool;
  const auto start = Clock::now();
  EXPECT_EQ(body_of(*pool.start({.url = server.url(), .max_body = limit}, quick())), "ok");
  EXPECT_GE(Clock::now() - start, std::chrono::seconds(1));
}

TEST(HttpPool, a_server_that_stays_overloaded_has_the_last_word_and_one_that_stays_broken_is_an_error) {
  RawServer overloaded([](size_t, const std::string&) { return answer("500 Oh", length(4), "busy"); });
  RawServer broken([](size_t, const std::string&) { return answer("200 OK", length(100), ""); });
  HttpPool pool;
  TransferOptions options = quick();
  options.retry.attempts = 3;
  const auto transfer = pool.start({.url = overloaded.url(), .max_body = limit}, options);
  EXPECT_EQ(transfer->response().status, 500);
  EXPECT_EQ(transfer->response().body, "busy");
  EXPECT_EQ(overloaded.requests().size(), 3u);
  try {
    body_of(*pool.start({.url = broken.url(), .max_body = limit}, options));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    EXPECT_THAT(error.what(), testing::AllOf(HasSubstr(broken.url()), HasSubstr("after 3 attempts")));
  }
}

TEST(HttpPool, what_is_not_there_is_asked_for_once) {
  RawServer server([](size_t, const std::string&) { return answer("404 Not Found", length(4), "gone"); });
  HttpPool pool;
  const auto transfer = pool.start({.url = server.url(), .max_body = limit}, quick());
  std::string piece;
  EXPECT_FALSE(transfer->read(piece));
  EXPECT_EQ(transfer->response().status, 404);
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST(HttpPool, a_slow_reader_makes_the_transfer_wait_and_loses_nothing) {
  const std::string text = numbered(8 << 20);
  RawServer server([&](size_t, const std::string&) { return answer("200 OK", length(text.size()), text); });
  HttpPool pool;
  TransferOptions options = quick();
  options.buffer = 64 * 1024;
  const auto transfer = pool.start({.url = server.url(), .max_body = limit}, options);
  EXPECT_EQ(transfer->response().status, 200);  // waits for the first piece
  EXPECT_EQ(body_of(*transfer), text);
}

TEST(HttpPool, a_body_that_is_larger_than_it_may_be_is_an_error) {
  const std::string text = numbered(100'000);
  RawServer server([&](size_t, const std::string&) { return answer("200 OK", length(text.size()), text); });
  HttpPool pool;
  try {
    body_of(*pool.start({.url = server.url(), .max_body = BodyLimit(50'000)}, quick()));
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("larger than 50000 bytes"));
  }
}

TEST(HttpPool, letting_go_of_a_transfer_ends_it_and_many_run_at_once) {
  RawServer server(
      [](size_t, const std::string& head) { return answer("200 OK", length(head.size()), head); });
  HttpPool pool;
  pool.start({.url = server.url(), .max_body = limit}, quick()).reset();
  std::vector<std::shared_ptr<HttpTransfer>> transfers;
  for (int i = 0; i < 200; ++i)
    transfers.push_back(pool.start({.url = server.url() + std::to_string(i), .max_body = limit}, quick()));
  for (size_t i = 0; i < transfers.size(); ++i)
    EXPECT_THAT(body_of(*transfers[i]), HasSubstr("/file" + std::to_string(i) + " HTTP"));
}

}  // namespace
}  // namespace flox
