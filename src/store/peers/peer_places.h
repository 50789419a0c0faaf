// Where peers are: from what is set to their addresses.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/settings/address.h"

namespace flox::store {

// HOST:PORT, as in the setting peers. Throws Error(invalid_input), also for the port 0, where nobody listens.
AddressPort peer_place(const std::string& text);

// All addresses of the places HOST:PORT, as "ADDRESS:PORT", in order and without repetitions. HOST is an
// address, or a name with any number of them, which is asked of `resolver`, else of the system. What cannot
// be found is logged and left out. Waits for name servers.
std::vector<std::string> addresses_of_peers(const std::vector<std::string>& places,
                                            const std::optional<AddressPort>& resolver);

}  // namespace flox::store
