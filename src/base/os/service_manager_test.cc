#include "base/os/service_manager.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "base/os/file.h"

namespace flox {
namespace {

sockaddr_un at(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// Runs `look` in a process that was started with these descriptors from 3 on; its exit code.
template <typename Look>
int started_with(const std::vector<int>& descriptors, const char* count, Look look) {
  const pid_t child = ::fork();
  if (child == 0) {
    // Away from the places that they are moved to.
    std::vector<int> copies;
    for (const int fd : descriptors) copies.push_back(::fcntl(fd, F_DUPFD, 100));
    int next = 3;
    for (const int fd : copies) ::dup2(fd, next++);
    ::setenv("LISTEN_PID", fmt::format("{}", ::getpid()).c_str(), 1);
    ::setenv("LISTEN_FDS", count, 1);
    ::_exit(look());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(ServiceManager, SocketsOfSystemdAreFoundByWhereTheyListen) {
  const TempDir directory("flox-sockets-");
  const std::string path = directory.path() / "node.sock";
  const Fd unix_socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  const sockaddr_un address = at(path);
  ASSERT_EQ(::bind(unix_socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(unix_socket.get(), 1), 0);
  const Fd tcp(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in loopback{};
  loopback.sin_family = AF_INET;
  loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(tcp.get(), reinterpret_cast<const sockaddr*>(&loopback), sizeof loopback), 0);
  ASSERT_EQ(::listen(tcp.get(), 1), 0);
  socklen_t size = sizeof loopback;
  ::getsockname(tcp.get(), reinterpret_cast<sockaddr*>(&loopback), &size);
  const std::string port = fmt::format("127.0.0.1:{}", ntohs(loopback.sin_port));
  const Fd silent(::socket(AF_UNIX, SOCK_STREAM, 0));  // listens nowhere

  const int code = started_with({unix_socket.get(), tcp.get(), silent.get()}, "3", [&] {
    InheritedSockets sockets = InheritedSockets::take_all();
    if (std::getenv("LISTEN_FDS") != nullptr) return 1;
    if (sockets.places() != std::vector<std::string>{path, port} &&
        sockets.places() != std::vector<std::string>{port, path})
      return 2;
    const Fd taken = sockets.take(path);
    if (!taken || ::fcntl(taken.get(), F_GETFD) != FD_CLOEXEC) return 3;
    if ((::fcntl(taken.get(), F_GETFL) & O_NONBLOCK) == 0) return 4;
    if (sockets.take(path) || !sockets.take(port) || sockets.take("127.0.0.1:1")) return 5;
    return sockets.places().empty() ? 0 : 6;
  });
  EXPECT_EQ(code, 0);
}

TEST(ServiceManager, SocketsOfAnotherProcessAndNonsenseAreNone) {
  const auto none = [] { return InheritedSockets::take_all().places().empty() ? 0 : 1; };
  EXPECT_EQ(started_with({}, "-1", none), 0);
  EXPECT_EQ(started_with({}, "3x", none), 0);
  EXPECT_EQ(started_with({}, "2000000000", none), 0);
  EXPECT_EQ(started_with({}, "2", none), 0);  // there are no such descriptors
  EXPECT_EQ(started_with({}, "1",
                         [&] {
                           ::setenv("LISTEN_PID", "1", 1);
                           return none();
                         }),
            0);
}

TEST(ServiceManager, TheServiceSaysThatItIsReady) {
  const TempDir directory("flox-notify-");
  const std::string path = directory.path() / "notify";
  const Fd manager(::socket(AF_UNIX, SOCK_DGRAM, 0));
  const sockaddr_un address = at(path);
  ASSERT_EQ(::bind(manager.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  notify_service_manager("READY=1");
  ::setenv("NOTIFY_SOCKET", (directory.path() / "nobody").c_str(), 1);
  notify_service_manager("READY=1");
  ::unsetenv("NOTIFY_SOCKET");
  notify_service_manager("READY=1");
  char text[64];
  const ssize_t got = ::recv(manager.get(), text, sizeof text, MSG_DONTWAIT);
  EXPECT_EQ(std::string(text, got < 0 ? 0 : static_cast<size_t>(got)), "READY=1");
  EXPECT_LT(::recv(manager.get(), text, sizeof text, MSG_DONTWAIT), 0);
}

}  // namespace
}  // namespace flox
