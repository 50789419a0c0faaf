#include "shim/imageless/reserved_places.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "shim/imageless/in_root.h"

namespace flox::shim {
namespace {

// A pod has tens of them; more would cost time for nothing.
constexpr size_t place_limit = 4096;

}  // namespace

void check_places(const oci::RuntimeSpec& spec, const Rootfs& root) {
  std::vector<std::string> reserved = {"/nix", "/run/flox"};
  for (const char* place : {"/nix", "/run/flox"}) reserved.push_back(root.resolve(place));
  const std::vector<std::string> places = spec.places();
  if (places.size() > place_limit)
    fail(ErrorKind::invalid_input, "the container has {} mounts and devices, more than {}", places.size(),
         place_limit);
  for (const std::string& place : places) {
    for (const std::string& real : {normalised_path(place), root.resolve(place)}) {
      const bool taken = real == "/" || std::ranges::any_of(reserved, [&](const std::string& directory) {
                           return is_at_or_below(real, directory);
                         });
      if (!taken) continue;
      const std::string which = real == place ? "" : fmt::format(", which is {}", real);
      throw Error(ErrorKind::conflict, fmt::format("the pod mounts a volume at {}{}", place, which),
                  "Mount it elsewhere: the environment needs /nix and /run/flox.");
    }
  }
}

}  // namespace flox::shim
