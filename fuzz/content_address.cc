// Content addresses, as narinfo files and databases hold them.
#include "nix/content_address.h"

#include <optional>

#include "fuzz.h"

namespace flox::fuzz::of_content_address {

void one(std::string_view input) {
  std::optional<nix::ContentAddress> address;
  if (!accepts([&] { address = nix::ContentAddress::parse(input); }) || !address) return;
  require(nix::ContentAddress::parse(address->to_string()) == *address, "its text has the same value");
  const nix::StorePath path = address->path("x");
  require(nix::names(*address, path, {}), "a path is named by its address");
  std::optional<nix::StorePath> self;
  if (accepts([&] { self = address->path("x", {path}, true); })) {
    require(nix::names(*address, *self, {path, *self}), "also with references and one to itself");
    require(!nix::names(*address, *self, {path}), "which are part of the name");
  }
}

}  // namespace flox::fuzz::of_content_address
