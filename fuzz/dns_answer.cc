// What a DNS server answers about the names of peers.
#include "fuzz.h"
#include "store/peers/dns.h"

namespace flox::fuzz::of_dns_answer {

void one(std::string_view input) {
  std::vector<std::string> addresses;
  // Unavailable: the server says that it cannot answer.
  if (!accepts([&] { addresses = store::read_dns_answer(input); },
               {ErrorKind::invalid_input, ErrorKind::unavailable}))
    return;
  require(addresses.size() <= store::most_dns_records, "an answer is bounded");
  for (const std::string& address : addresses)
    require(AddressPort::parse(AddressPort{.address = address, .port = 1}.to_string()).address == address,
            "an address is one");
}

}  // namespace flox::fuzz::of_dns_answer
