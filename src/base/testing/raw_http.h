// For tests of HttpServer: a client that writes requests byte by byte, and handlers that wait.
#pragma once

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/net/server/http_server.h"
#include "base/os/fd.h"

namespace flox {

class Raw {
 public:
  // `receive_buffer`: bytes that the kernel takes for the client; 0: as it likes.
  explicit Raw(const HttpServer& server, int receive_buffer = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer > 0)
      ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(server.port()), .sin_addr = {}};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      fail_errno(errno, "connecting");
  }
  Raw& say(std::string_view text) {
    while (!text.empty()) {
      const ssize_t count = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (count <= 0) break;  // it has closed
      text.remove_prefix(static_cast<size_t>(count));
    }
    return *this;
  }
  // What comes until `end` is there, or the server closes, or 20 seconds have passed.
  std::string hear(std::string_view end = "") {
    while (end.empty() || heard_.find(end) == std::string::npos) {
      char buffer[65536];
      if (!readable(20'000)) return heard_ + "(nothing more)";
      const ssize_t count = ::recv(fd_.get(), buffer, sizeof buffer, 0);
      if (count <= 0) break;
      heard_.append(buffer, static_cast<size_t>(count));
    }
    return std::exchange(heard_, {});
  }
  // Packets with bytes that have come so far.
  size_t packets_heard() const {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (::getsockopt(fd_.get(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) fail_errno(errno, "TCP_INFO");
    return info.tcpi_data_segs_in;
  }
  void hang_up() { fd_.reset(); }
  bool readable(int milliseconds) {
    pollfd one{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    return ::poll(&one, 1, milliseconds) > 0;
  }

 private:
  Fd fd_;
  std::string heard_;
};

// A handler that holds its thread until it is let go.
struct Gate {
  std::mutex mutex;
  std::condition_variable changed;
  int inside = 0;
  bool open = false;
  void pass() {
    std::unique_lock lock(mutex);
    ++inside;
    changed.notify_all();
    changed.wait(lock, [&] { return open; });
  }
  void wait_for(int count) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return inside >= count; });
  }
  void let_go() {
    const std::lock_guard lock(mutex);
    open = true;
    changed.notify_all();
  }
};

}  // namespace flox
