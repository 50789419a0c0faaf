#include "base/net/url.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstring>

#include "base/error.h"
#include "base/letter_case.h"
#include "base/net/http_client.h"

namespace flox {
namespace {

constexpr size_t max_url = 8192;  // bytes

uint16_t default_port(std::string_view scheme) { return scheme == "https" ? 443 : 80; }

// unreserved and sub-delims (RFC 3986, appendix A)
bool may_be_in_name(unsigned char c) {
  return std::isalnum(c) != 0 ||
         std::string_view("-._~!$&'()*+,;=").find(static_cast<char>(c)) != std::string_view::npos;
}

// With or without a zone: "fe80::1%25eth0" (RFC 6874), "fe80::1%eth0" (what libcurl takes, too).
bool is_ipv6(std::string_view host) {
  in6_addr address{};
  return ::inet_pton(AF_INET6, std::string(host.substr(0, host.find('%'))).c_str(), &address) == 1 &&
         std::ranges::all_of(host, [](unsigned char c) { return may_be_in_name(c) || c == ':' || c == '%'; });
}

std::optional<Login> login_of(std::string_view user_info) {
  const size_t colon = user_info.find(':');
  Login login{.user = url_decode(user_info.substr(0, colon)), .password = {}};
  if (colon != std::string_view::npos) login.password = Secret(url_decode(user_info.substr(colon + 1)));
  return login;
}

// Where the authority begins and ends in a URL, and where its user info ends; nothing if there is none.
struct Authority {
  size_t begin = 0;
  size_t end = 0;
  size_t at = std::string_view::npos;
};
std::optional<Authority> authority_of(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return std::nullopt;
  Authority found{.begin = scheme + 3};
  found.end = std::min(url.find_first_of("/?#", found.begin), url.size());
  const size_t at = url.substr(0, found.end).rfind('@');
  if (at != std::string_view::npos && at >= found.begin) found.at = at;
  return found;
}

Network network_of_v4(uint32_t address) noexcept {
  const auto within = [&](uint32_t prefix, int bits) { return (address ^ prefix) >> (32 - bits) == 0; };
  constexpr auto ip = [](uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
    return a << 24 | b << 16 | c << 8 | d;
  };
  if (within(ip(169, 254, 0, 0), 16)) return Network::link_local;
  // Metadata services that are elsewhere: Alibaba's, Azure's, Oracle's.
  for (const uint32_t metadata : {ip(100, 100, 100, 200), ip(168, 63, 129, 16), ip(192, 0, 0, 192)})
    if (address == metadata) return Network::link_local;
  if (within(ip(127, 0, 0, 0), 8) || within(0, 8)) return Network::loopback;
  if (within(ip(10, 0, 0, 0), 8) || within(ip(172, 16, 0, 0), 12) || within(ip(192, 168, 0, 0), 16) ||
      within(ip(100, 64, 0, 0), 10) || within(ip(192, 0, 0, 0), 24) || within(ip(198, 18, 0, 0), 15) ||
      address >= ip(224, 0, 0, 0))
    return Network::local;
  return Network::internet;
}

Network network_of_v6(const in6_addr& address) noexcept {
  std::array<uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), &address, bytes.size());
  const auto v4_at = [&](size_t at) {
    return network_of_v4(uint32_t{bytes[at]} << 24 | uint32_t{bytes[at + 1]} << 16 |
                         uint32_t{bytes[at + 2]} << 8 | bytes[at + 3]);
  };
  const auto starts = [&](std::initializer_list<uint8_t> prefix) {
    return std::equal(prefix.begin(), prefix.end(), bytes.begin());
  };
  const bool zeros = std::all_of(bytes.begin(), bytes.begin() + 10, [](uint8_t b) { return b == 0; });
  if (zeros && bytes[10] == 0xff && bytes[11] == 0xff) return v4_at(12);
  if (zeros && bytes[10] == 0 && bytes[11] == 0) {
    const bool low = bytes[12] == 0 && bytes[13] == 0 && bytes[14] == 0 && bytes[15] <= 1;
    return low ? Network::loopback : v4_at(12);
  }
  if (starts({0x00, 0x64, 0xff, 0x9b})) return v4_at(12);  // NAT64 (RFC 6052)
  if (starts({0x20, 0x02})) return v4_at(2);               // 6to4 (RFC 3056)
  if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80) return Network::link_local;
  // AWS's and Google's metadata services.
  if (starts({0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0}) || starts({0xfd, 0x20, 0x00, 0xce, 0, 0, 0, 0}))
    return Network::link_local;
  if ((bytes[0] & 0xfe) == 0xfc || bytes[0] == 0xff || bytes[0] == 0xfe) return Network::local;
  return Network::internet;
}

}  // namespace

HttpUrl HttpUrl::parse(std::string_view url) {
  const auto refuse = [](std::string_view why) {
    fail(ErrorKind::invalid_input, "this is not the URL of an HTTP server: {}", why);
  };
  if (url.size() > max_url) refuse("it is too long");
  if (std::ranges::any_of(url, [](unsigned char c) { return c <= ' ' || c >= 127 || c == '\\'; }))
    refuse("it has characters that a URL cannot have");
  const auto authority = authority_of(url);
  if (!authority) refuse("it has no scheme");
  HttpUrl result;
  result.scheme = lower_case(url.substr(0, authority->begin - 3));
  if (result.scheme != "http" && result.scheme != "https") refuse("its scheme is neither http nor https");
  std::string_view host = url.substr(authority->begin, authority->end - authority->begin);
  if (authority->at != std::string_view::npos) {
    result.login = login_of(url.substr(authority->begin, authority->at - authority->begin));
    host = url.substr(authority->at + 1, authority->end - authority->at - 1);
  }
  result.port = default_port(result.scheme);
  const size_t after_address = host.starts_with('[') ? host.find(']') : 0;
  if (after_address == std::string_view::npos) refuse("its address has no closing bracket");
  if (const size_t colon = host.find(':', after_address); colon != std::string_view::npos) {
    const std::string_view port = host.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), result.port);
    if (!port.empty() && (error != std::errc() || end != port.data() + port.size() || result.port == 0))
      refuse("its port is not a number up to 65535");
    host = host.substr(0, colon);
  }
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) refuse("its address has no closing bracket");
    host = host.substr(1, host.size() - 2);
    if (!is_ipv6(host)) refuse("what stands in brackets is not an IPv6 address");
  } else if (!std::ranges::all_of(host, may_be_in_name)) {
    refuse("its host has characters that a name cannot have");
  }
  result.host = lower_case(host);
  if (result.host.empty()) refuse("it names no host");
  const std::string_view rest = url.substr(authority->end);
  result.target = rest.substr(0, rest.find('#'));
  if (!result.target.starts_with('/')) result.target.insert(0, "/");
  return result;
}

std::string HttpUrl::to_string() const {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return scheme + "://" + name + (port == default_port(scheme) ? "" : ":" + std::to_string(port)) + target;
}

std::string HttpUrl::origin() const { return scheme + "://" + host + ":" + std::to_string(port); }

std::pair<std::string, std::optional<Login>> split_login(std::string_view url) {
  const auto authority = authority_of(url);
  if (!authority || authority->at == std::string_view::npos) return {std::string(url), std::nullopt};
  return {std::string(url.substr(0, authority->begin)) + std::string(url.substr(authority->at + 1)),
          login_of(url.substr(authority->begin, authority->at - authority->begin))};
}

std::string hide_login(std::string_view url) {
  const auto authority = authority_of(url);
  if (!authority || authority->at == std::string_view::npos) return std::string(url);
  return std::string(url.substr(0, authority->begin)) + "***" + std::string(url.substr(authority->at));
}

const char* to_string(Network network) noexcept {
  switch (network) {
    case Network::link_local:
      return "link-local";
    case Network::loopback:
      return "loopback";
    case Network::local:
      return "private";
    case Network::internet:
      return "public";
  }
  return "unknown";
}

Network network_of(const sockaddr& address) noexcept {
  if (address.sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof v4);
    return network_of_v4(ntohl(v4.sin_addr.s_addr));
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof v6);
    return network_of_v6(v6.sin6_addr);
  }
  return Network::link_local;  // neither: nothing that a URL leads to
}

std::optional<Network> network_of_host(const std::string& host) {
  const std::string name = host.ends_with('.') ? host.substr(0, host.size() - 1) : host;
  if (name == "localhost" || name.ends_with(".localhost")) return Network::loopback;
  in_addr v4{};
  if (::inet_aton(name.c_str(), &v4) != 0) return network_of_v4(ntohl(v4.s_addr));
  in6_addr v6{};
  // A zone ("fe80::1%eth0") belongs to link-local addresses only.
  if (name.find('%') != std::string::npos) return Network::link_local;
  if (::inet_pton(AF_INET6, name.c_str(), &v6) == 1) return network_of_v6(v6);
  return std::nullopt;
}

bool may_lead(Network from, Network to) noexcept {
  switch (to) {
    case Network::link_local:
      return false;
    case Network::loopback:
      return from == Network::loopback;
    case Network::local:
      return from == Network::loopback || from == Network::local;
    case Network::internet:
      return true;
  }
  return false;
}

}  // namespace flox
