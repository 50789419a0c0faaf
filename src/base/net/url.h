// URLs of HTTP servers, taken apart: what two URLs must share to be the same server, and which networks an
// address belongs to.
//
// URLs are taken apart here and not by Boost.URL, which was tried in the version of Debian 12 (1.81). It
// reads another host than libcurl then asks: of "http://a@b@evil.org/" it says "b", of "http://user:pa/ss@h/"
// it says "user"; it finds no fault with "http://h:x/" and "http://[::1]x/". It refuses targets that servers
// send and libcurl takes ("/a|b", "/100%"), and zones of addresses. It takes 2.7 us for 1.0, and 270 kB of
// each program.
#pragma once  // Fuzzed by fuzz/cache_url.cc.

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/data/secret.h"

namespace flox {

// A user's name and password for HTTP's Basic scheme.
struct Login {
  std::string user;
  Secret password;
};

// "http://user:password@Host:80/path?query" is {"http", login, "host", 80, "/path?query"}.
struct HttpUrl {
  std::string scheme;  // "http" or "https"
  std::optional<Login> login;
  std::string host;  // in lower case; an IPv6 address without its brackets
  uint16_t port = 0;
  std::string target;  // path and query as written; "/" at least, no fragment

  // Throws Error(invalid_input), which does not quote the URL, for what is not an absolute http or https URL:
  // white space, control characters, backslashes and bytes over 127 are refused, too, and hosts that are
  // neither a name (RFC 3986, section 3.2.2, without percent-encoding) nor an address.
  static HttpUrl parse(std::string_view url);
  // Without the login and without the scheme's own port.
  std::string to_string() const;
  // "https://host:443": what two URLs have in common if a secret of one may be sent to the other.
  std::string origin() const;
};

// The URL without its user and password, and these apart; a URL of another scheme, too.
std::pair<std::string, std::optional<Login>> split_login(std::string_view url);
// "https://***@host/path?query" for messages that must show the query; the same text if it has no login.
std::string hide_login(std::string_view url);

// Networks by how much their services trust whoever reaches them.
enum class Network {
  link_local,  // 169.254/16, fe80::/10, and the other addresses of cloud metadata services
  loopback,    // 127/8, ::1, 0/8
  local,       // private, shared, multicast and reserved ranges
  internet,
};
// "link-local", …
const char* to_string(Network network) noexcept;
// IPv4 addresses within IPv6 ones (mapped, NAT64, 6to4) count as themselves.
Network network_of(const sockaddr& address) noexcept;
// Of an address as text, also in the spellings that inet_aton(3) knows (2130706433, 0x7f.1) and for
// "localhost"; nothing for other names.
std::optional<Network> network_of_host(const std::string& host);

// Whether a server in the network `from` may send us on to one in `to`: never to a link-local one, to
// loopback only from loopback, to local ones from loopback and local ones.
bool may_lead(Network from, Network to) noexcept;

}  // namespace flox
