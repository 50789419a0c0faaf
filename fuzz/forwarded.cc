// What a proxy, or who pretends to be one, says of whose request it passes on. The input's first line is the
// field's value; the rest is a network.
#include "base/error.h"
#include "base/net/server/trusted_proxies.h"
#include "fuzz.h"

namespace flox::fuzz::of_forwarded {

void one(std::string_view input) {
  static const TrustedProxies proxies({"10.0.0.0/8", "fd00::/8"});
  const std::string value(take_until(input, '\n'));
  for (const char* field : {"forwarded", "x-forwarded-for"}) {
    std::string client;
    if (!accepts([&] { client = proxies.client_of("10.0.0.1", {{field, value}}); })) continue;
    require(client == "10.0.0.1" || value.find(client) != std::string::npos, "the client is named");
    require(!client.empty() && client.size() <= 45, "it is an address");
    require(proxies.client_of("192.0.2.1", {{field, value}}) == "192.0.2.1", "a stranger says nothing");
  }
  accepts([&] { require(!TrustedProxies({std::string(input)}).empty(), "what is taken is a network"); });
}

}  // namespace flox::fuzz::of_forwarded
