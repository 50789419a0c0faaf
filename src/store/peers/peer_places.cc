#include "store/peers/peer_places.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "base/log.h"
#include "store/peers/dns.h"

namespace flox::store {
namespace {

bool is_numeric(const std::string& host) {
  in6_addr address{};
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

std::vector<std::string> from_system(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found); error != 0)
    fail(ErrorKind::unavailable, "{}", ::gai_strerror(error));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  std::vector<std::string> addresses;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    char text[NI_MAXHOST] = {};
    if (::getnameinfo(entry->ai_addr, entry->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0)
      addresses.emplace_back(text);
  }
  return addresses;
}

std::vector<std::string> addresses_of(const std::string& host, const std::optional<AddressPort>& resolver) {
  return resolver && !is_numeric(host) ? ask_dns(*resolver, host) : from_system(host);
}

}  // namespace

AddressPort peer_place(const std::string& text) {
  AddressPort place = AddressPort::parse(text);
  if (place.port == 0)
    throw Error(ErrorKind::invalid_input, fmt::format("'{}' has the port 0", text),
                "Write the port of peer_address.");
  return place;
}

std::vector<std::string> addresses_of_peers(const std::vector<std::string>& places,
                                            const std::optional<AddressPort>& resolver) {
  std::vector<std::string> addresses;
  for (const std::string& text : places) try {
      const AddressPort place = peer_place(text);
      for (std::string& address : addresses_of(place.address, resolver))
        addresses.push_back(AddressPort{.address = std::move(address), .port = place.port}.to_string());
    } catch (const Error& error) {
      log::warning("the peers {}: {}", text, error.what());
    }
  std::ranges::sort(addresses);
  addresses.erase(std::ranges::unique(addresses).begin(), addresses.end());
  return addresses;
}

}  // namespace flox::store
