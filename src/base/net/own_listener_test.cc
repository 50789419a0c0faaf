#include "base/net/own_listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <sstream>

#include "base/error.h"
#include "base/net/http_client.h"
#include "base/net/http_pool.h"
#include "base/net/server/http_server.h"
#include "base/os/fd.h"

namespace flox {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A word of a table, in this machine's byte order.
std::string word(std::initializer_list<unsigned char> bytes) {
  uint32_t value = 0;
  std::memcpy(&value, std::data(bytes), sizeof value);
  return fmt::format("{:08X}", value);
}
const std::string own = word({127, 0, 0, 1}), any = "00000000",
                  mapped_own = any + any + word({0, 0, 0xFF, 0xFF}) + own;

std::string line(const std::string& local, const std::string& remote, const char* state, int user,
                 int inode) {
  return fmt::format("   0: {} {} {} 00000000:00000000 00:00000000 00000000 {:5} 0 {} 1 0000000000000000\n",
                     local, remote, state, user, inode);
}
std::vector<uid_t> users(const std::string& ipv4, const std::string& ipv6 = "") {
  std::istringstream first("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when\n" + ipv4),
      second(ipv6);
  return users_of_server(
      {.server_ip = "127.0.0.1", .server_port = 0x218E, .client_ip = "127.0.0.1", .client_port = 0xABCD},
      {&first, &second});
}

HttpRequest request(const std::string& url) {
  return {.url = url, .bearer = Secret("s3cret"), .max_body = BodyLimit(1000)};
}

TEST(OwnListener, who_has_accepted_counts_and_nobody_else) {
  const std::string listening = line(own + ":218E", any + ":0000", "0A", 1000, 7);
  EXPECT_THAT(users(listening + line(own + ":218E", own + ":ABCD", "01", 1001, 8)), ElementsAre(1001));
  EXPECT_THAT(users("", line(mapped_own + ":218E", mapped_own + ":ABCD", "01", 1001, 8)), ElementsAre(1001));
  // Our own end of the connection, and another connection.
  EXPECT_THAT(users(listening + line(own + ":ABCD", own + ":218E", "01", 1002, 8)), IsEmpty());
  EXPECT_THAT(users(listening + line(own + ":218E", own + ":ABCE", "01", 1002, 8)), IsEmpty());
}

TEST(OwnListener, before_that_all_who_could_accept_count) {
  const std::string waiting = line(own + ":218E", own + ":ABCD", "01", 0, 0);
  EXPECT_THAT(users(line(own + ":218E", any + ":0000", "0A", 1000, 7) + waiting +
                    line(any + ":218E", any + ":0000", "0A", 1003, 7) +
                    line(own + ":218F", any + ":0000", "0A", 1004, 7)),
              ElementsAre(1000, 1003));
  EXPECT_THAT(
      users(waiting, line(any + any + any + any + ":218E", any + any + any + any + ":0000", "0A", 1005, 7)),
      ElementsAre(1005));
}

TEST(OwnListener, a_server_of_this_user_is_asked) {
  HttpServer server({}, [](const ServerRequest&) { return ServerResponse{.body = "mine"}; });
  const std::string url = fmt::format("http://127.0.0.1:{}", server.port());
  require_own_server(url);
  EXPECT_TRUE(must_be_own(HttpUrl::parse(url + "/path")));
  EXPECT_EQ(HttpClient().send(request(url + "/path")).body, "mine");
}

// A port at which another user listens, who has accepted nothing yet.
class Stranger {
 public:
  Stranger() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::fchown(socket_.get(), 65534, 65534), 0);
    EXPECT_EQ(::listen(socket_.get(), 10), 0);
    EXPECT_EQ(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    url_ = fmt::format("http://127.0.0.1:{}", ntohs(address.sin_port));
  }
  const std::string& url() const { return url_; }
  // What has been sent to the first of those who are connected.
  std::string received() const {
    const Fd connection(::accept(socket_.get(), nullptr, nullptr));
    std::string bytes(4096, '\0');
    bytes.resize(
        static_cast<size_t>(std::max<ssize_t>(::read(connection.get(), bytes.data(), bytes.size()), 0)));
    return bytes;
  }

 private:
  Fd socket_;
  std::string url_;
};

TEST(OwnListener, a_server_of_another_user_gets_nothing) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can be another user";
  const Stranger stranger;
  require_own_server(stranger.url() + "/");
  const auto refusal = [](const std::function<void()>& call) {
    try {
      call();
      return std::string("nothing");
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::untrusted);
      return std::string(error.what());
    }
  };
  EXPECT_THAT(refusal([&] { HttpClient().send(request(stranger.url())); }), HasSubstr("user 65534"));
  EXPECT_EQ(stranger.received(), "");
  const std::string port = stranger.url().substr(stranger.url().rfind(':'));
  for (const char* const host : {"localhost", "127.1", "LOCALHOST"})
    EXPECT_THAT(refusal([&] { HttpClient().send(request(fmt::format("http://{}{}", host, port))); }),
                HasSubstr("user 65534"))
        << host;
  HttpPool pool;
  EXPECT_THAT(refusal([&] { pool.start(request(stranger.url() + "/x"))->response(); }),
              HasSubstr("user 65534"));
  EXPECT_EQ(stranger.received(), "");
}

TEST(OwnListener, only_servers_of_this_machine_can_be_required) {
  EXPECT_THROW(require_own_server("http://example.org:80"), Error);
  EXPECT_THROW(require_own_server("http://10.0.0.1:80"), Error);
  EXPECT_FALSE(must_be_own(HttpUrl::parse("http://example.org")));
  require_own_server("http://127.0.0.1:8590");
  EXPECT_FALSE(must_be_own(HttpUrl::parse("http://example.org:8590")));
}

}  // namespace
}  // namespace flox
