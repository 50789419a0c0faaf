#include "base/os/service_manager.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace flox {
namespace {

constexpr int first_inherited = 3;  // SD_LISTEN_FDS_START
constexpr int most_inherited = 64;

std::optional<int> number_in(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  int number = 0;
  const char* end = text + std::strlen(text);
  const auto [stopped, error] = std::from_chars(text, end, number);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return number;
}

// Empty for what is neither a Unix socket with a path nor one of TCP over IP, or does not listen.
std::string place_of(int socket) {
  int listens = 0;
  socklen_t size = sizeof listens;
  if (::getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens == 0) return {};
  sockaddr_storage address{};
  size = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  char text[INET6_ADDRSTRLEN];
  switch (address.ss_family) {
    case AF_UNIX: {
      const auto& unix_address = reinterpret_cast<const sockaddr_un&>(address);
      const size_t length = size - offsetof(sockaddr_un, sun_path);
      return {unix_address.sun_path, ::strnlen(unix_address.sun_path, length)};
    }
    case AF_INET: {
      const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
      return fmt::format("{}:{}", ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text), ntohs(v4.sin_port));
    }
    case AF_INET6: {
      const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
      return fmt::format("[{}]:{}", ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text),
                         ntohs(v6.sin6_port));
    }
    default:
      return {};
  }
}

}  // namespace

InheritedSockets InheritedSockets::take_all() {
  InheritedSockets sockets;
  const auto process = number_in("LISTEN_PID"), count = number_in("LISTEN_FDS");
  for (const char* variable : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(variable);
  if (process != ::getpid() || !count || *count < 0 || *count > most_inherited) return sockets;
  for (int fd = first_inherited; fd < first_inherited + *count; ++fd) {
    Fd socket(fd);
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0) {
      [[maybe_unused]] const int not_open = socket.release();
      continue;
    }
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    if (std::string place = place_of(fd); !place.empty())
      sockets.by_place_.insert_or_assign(std::move(place), std::move(socket));
  }
  return sockets;
}

Fd InheritedSockets::take(const std::string& place) {
  const auto found = by_place_.find(place);
  if (found == by_place_.end()) return {};
  Fd socket = std::move(found->second);
  by_place_.erase(found);
  return socket;
}

std::vector<std::string> InheritedSockets::places() const {
  std::vector<std::string> all;
  for (const auto& [place, socket] : by_place_) all.push_back(place);
  return all;
}

void notify_service_manager(std::string_view state) noexcept {
  const char* path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const size_t length = path == nullptr ? 0 : std::strlen(path);
  if (length == 0 || length >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';  // an abstract name
  const Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return;
  [[maybe_unused]] const ssize_t sent = ::sendto(
      socket.get(), state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address),
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
}

}  // namespace flox
