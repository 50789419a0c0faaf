// What a DNS server answers about the names of peers.
#include "fuzz.h"
#include "store/peers/dns.h"

namespace flox::fuzz {

void one(std::string_view input) {
  std::vector<std::string> addresses;
  if (!accepts([&] { addresses = store::read_dns_answer(input); })) return;
  require(addresses.size() <= store::most_dns_records, "an answer is bounded");
  for (const std::string& address : addresses)
    require(AddressPort::parse(AddressPort{.address = address, .port = 1}.to_string()).address == address,
            "an address is one");
}

}  // namespace flox::fuzz
