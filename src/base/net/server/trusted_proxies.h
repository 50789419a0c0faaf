// Whose requests a proxy passes on. Anybody can write Forwarded and X-Forwarded-For into a request, so they
// count only if a proxy that is trusted brings them, and of them only what such proxies have added.
#pragma once  // Fuzzed by fuzz/forwarded.cc.

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flox {

// Immutable.
class TrustedProxies {
 public:
  // Addresses and networks: "192.0.2.1", "10.0.0.0/8", "fd00::/8". Throws Error(invalid_input).
  explicit TrustedProxies(const std::vector<std::string>& networks);

  bool empty() const noexcept { return networks_.empty(); }
  bool contains(std::string_view address) const;
  // The client of a request that came from `peer`, by its header fields (names in lower case): Forwarded
  // (RFC 7239) or X-Forwarded-For, read from the end for as long as trusted proxies are named; of a proxy
  // that names nobody ("unknown"), its own address. Throws StatusError, 400, if a trusted proxy brings both
  // fields, of which nobody knows which it wrote, or one that cannot be read.
  std::string client_of(std::string_view peer, const std::map<std::string, std::string>& fields) const;

 private:
  // An IPv4 address as the IPv6 address ::ffff:a.b.c.d.
  using Bytes = std::array<uint8_t, 16>;
  struct Network {
    Bytes bytes{};
    unsigned bits = 128;
  };
  static std::optional<Bytes> parse(std::string_view address);
  bool contains(const Bytes& address) const;

  std::vector<Network> networks_;
};

}  // namespace flox
