#include "base/net/own_listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>
#include <charconv>
#include <cstring>
#include <fstream>
#include <mutex>
#include <optional>
#include <set>
#include <sstream>

#include "base/error.h"

namespace flox {
namespace {

using Address = std::array<unsigned char, 16>;  // of IPv6; IPv4 as mapped (RFC 4291, section 2.5.5.2)

Address mapped(const unsigned char* ipv4) {
  Address address{};
  address[10] = address[11] = 0xFF;
  std::memcpy(address.data() + 12, ipv4, 4);
  return address;
}

std::optional<Address> address_of(const std::string& text) {
  Address address{};
  unsigned char ipv4[4];
  if (::inet_pton(AF_INET, text.c_str(), ipv4) == 1) return mapped(ipv4);
  if (::inet_pton(AF_INET6, text.c_str(), address.data()) == 1) return address;
  return std::nullopt;
}

struct End {
  Address address{};
  int port = 0;
  bool operator==(const End&) const = default;
};

// "0100007F:218E": words of the machine's byte order in hexadecimal, then the port.
std::optional<End> end_of(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon != 8 && colon != 32) return std::nullopt;
  std::array<unsigned char, 16> bytes{};
  for (size_t at = 0; at < colon; at += 8) {
    uint32_t word = 0;
    const char* const end = text.data() + at + 8;
    if (std::from_chars(text.data() + at, end, word, 16).ptr != end) return std::nullopt;
    std::memcpy(bytes.data() + at / 2, &word, sizeof word);
  }
  End result{.address = colon == 8 ? mapped(bytes.data()) : bytes};
  const char* const end = text.data() + text.size();
  if (std::from_chars(text.data() + colon + 1, end, result.port, 16).ptr != end) return std::nullopt;
  return result;
}

bool is_any(const Address& address) {
  static const unsigned char none[4] = {};
  return address == Address{} || address == mapped(none);
}

// A line of /proc/net/tcp or tcp6 (proc(5)).
struct Socket {
  End local, remote;
  bool listens = false;
  uid_t user = 0;
  uint64_t inode = 0;  // 0: nobody has accepted it yet

  static std::optional<Socket> parse(const std::string& line) {
    std::istringstream fields(line);
    std::string number, local, remote, state, queues, timer, retransmits, timeout;
    Socket socket;
    if (!(fields >> number >> local >> remote >> state >> queues >> timer >> retransmits >> socket.user >>
          timeout >> socket.inode))
      return std::nullopt;
    const auto here = end_of(local), there = end_of(remote);
    if (!here || !there) return std::nullopt;
    socket.local = *here;
    socket.remote = *there;
    socket.listens = state == "0A";
    return socket;
  }
};

// Loopback has many names, and a user's settings may know a server by two of them: the port is what counts.
struct Required {
  std::mutex mutex;
  std::set<uint16_t> ports;
};
Required& required() {
  static Required all;
  return all;
}

}  // namespace

void require_own_server(const std::string& url) {
  const HttpUrl parsed = HttpUrl::parse(url);
  if (network_of_host(parsed.host) != Network::loopback)
    throw Error(ErrorKind::invalid_input,
                fmt::format("{} is not a server of this machine", printable_url(url)),
                "Write it as http://127.0.0.1:PORT.");
  Required& all = required();
  const std::lock_guard lock(all.mutex);
  all.ports.insert(parsed.port);
}

bool must_be_own(const HttpUrl& url) {
  if (network_of_host(url.host) != Network::loopback) return false;
  Required& all = required();
  const std::lock_guard lock(all.mutex);
  return all.ports.contains(url.port);
}

std::vector<uid_t> users_of_server(const TcpEnds& connection, const std::vector<std::istream*>& tables) {
  const auto server_ip = address_of(connection.server_ip), client_ip = address_of(connection.client_ip);
  if (!server_ip || !client_ip) return {};
  const End server{.address = *server_ip, .port = connection.server_port};
  const End client{.address = *client_ip, .port = connection.client_port};
  std::vector<uid_t> listeners;
  bool is_here = false;
  for (std::istream* const table : tables)
    for (std::string line; std::getline(*table, line);) {
      const auto socket = Socket::parse(line);
      if (!socket) continue;  // the heading
      if (socket->listens) {
        if (socket->local == server || (socket->local.port == server.port && is_any(socket->local.address)))
          listeners.push_back(socket->user);
      } else if (socket->local == server && socket->remote == client) {
        if (socket->inode != 0) return {socket->user};
        is_here = true;
      }
    }
  return is_here ? listeners : std::vector<uid_t>();
}

std::vector<uid_t> users_of_server(const TcpEnds& connection) {
  std::ifstream ipv4("/proc/thread-self/net/tcp"), ipv6("/proc/thread-self/net/tcp6");
  return users_of_server(connection, {&ipv4, &ipv6});
}

}  // namespace flox
