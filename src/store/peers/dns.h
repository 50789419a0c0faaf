// The names under which peers stand, asked of one DNS server: where floxd runs, on the node, names of a
// cluster's services are mostly not known. Answers: RFC 1035, section 4.
#pragma once  // Fuzzed by fuzz/dns_answer.cc.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/settings/address.h"

namespace flox::store {

// Records of one answer that are read; further ones are left out.
inline constexpr size_t most_dns_records = 1024;

// The numeric addresses in the answer, of IPv4 and IPv6, in its order. Throws Error(invalid_input) for what
// is no answer, and unavailable for one that says that there was an error. A name that does not exist has
// none.
std::vector<std::string> read_dns_answer(std::string_view message);

// All addresses of the name, of that server, which is asked for some seconds at most. Throws Error:
// unavailable if it does not answer, invalid_input for a server without an IPv4 address.
std::vector<std::string> ask_dns(const AddressPort& server, const std::string& name);

}  // namespace flox::store
