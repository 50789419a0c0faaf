// ADDRESS:PORT, as people write where a program listens.
#pragma once  // Fuzzed by fuzz/config.cc.

#include <cstdint>
#include <string>
#include <string_view>

namespace flox {

struct AddressPort {
  std::string address;  // "127.0.0.1", "::1": without brackets
  uint16_t port = 0;    // of a listener 0: the system chooses

  // "127.0.0.1:8590", "[::1]:8590". Throws Error(invalid_input).
  static AddressPort parse(std::string_view text);
  // The same again; with_port() says the one that the system has chosen.
  std::string to_string() const { return with_port(port); }
  std::string with_port(uint16_t bound) const;
};

}  // namespace flox
