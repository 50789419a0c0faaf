#include "base/settings/address.h"

#include <charconv>

#include "base/error.h"

namespace flox {

AddressPort AddressPort::parse(std::string_view text) {
  AddressPort result;
  const size_t colon = text.rfind(':');
  const std::string_view port = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), result.port);
  std::string_view address = text.substr(0, colon);
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  if (port.empty() || error != std::errc() || end != port.data() + port.size() || address.empty())
    fail(ErrorKind::invalid_input,
         "'{}' is not of the form ADDRESS:PORT (as in 127.0.0.1:8590 or [::1]:8590)", text);
  result.address = address;
  return result;
}

std::string AddressPort::with_port(uint16_t bound) const {
  const bool is_v6 = address.find(':') != std::string::npos;
  return is_v6 ? fmt::format("[{}]:{}", address, bound) : fmt::format("{}:{}", address, bound);
}

}  // namespace flox
