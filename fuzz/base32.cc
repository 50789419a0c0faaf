// Nix's base-32, hexadecimal and base64: what is decoded is encoded again as it was, and the other way round.
#include "nix/base32.h"

#include "base/data/bytes.h"
#include "fuzz.h"

namespace flox::fuzz::of_base32 {

void one(std::string_view input) {
  const size_t size = input.size() * 5 / 8;
  std::string bytes;
  if (accepts([&] { bytes = nix::from_base32(input, size); }))
    require(nix::to_base32(bytes) == input, "base-32 has one text for each value");
  require(nix::from_base32(nix::to_base32(input), input.size()) == input, "base-32 keeps every byte");

  if (accepts([&] { bytes = from_base64(input); }))
    require(to_base64(bytes) == input, "base64 has one text for each value");
  require(from_base64(to_base64(input)) == input, "base64 keeps every byte");

  if (accepts([&] { bytes = from_hex(input); }))
    require(bytes.size() * 2 == input.size() && from_hex(to_hex(bytes)) == bytes,
            "hexadecimal keeps its value");
  require(from_hex(to_hex(input)) == input, "hexadecimal keeps every byte");
}

}  // namespace flox::fuzz::of_base32
