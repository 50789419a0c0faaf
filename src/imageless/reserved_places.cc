#include "imageless/reserved_places.h"

#include <algorithm>
#include <vector>

#include "base/at_or_below.h"
#include "base/error.h"

namespace flox::imageless {
namespace {

// A pod has tens of them; more would cost time for nothing.
constexpr size_t place_limit = 4096;

}  // namespace

void check_places(const oci::RuntimeSpec& spec, const Resolve& resolve) {
  std::vector<std::string> reserved = {"/nix", "/run/flox"};
  for (const char* place : {"/nix", "/run/flox"}) reserved.push_back(resolve(place));
  const std::vector<std::string> places = spec.places();
  if (places.size() > place_limit)
    fail(ErrorKind::invalid_input, "the container has {} mounts and devices, more than {}", places.size(),
         place_limit);
  for (const std::string& place : places) {
    for (const std::string& real : {normalised_path(place), resolve(place)}) {
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

std::string normalised_path(std::string_view path) {
  std::vector<std::string_view> kept;
  for (size_t at = 0; at < path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    at = end + 1;
    if (part.empty() || part == ".") continue;
    if (part != "..")
      kept.push_back(part);
    else if (!kept.empty())
      kept.pop_back();
  }
  std::string result;
  for (std::string_view part : kept) result.append("/").append(part);
  return result.empty() ? "/" : result;
}

}  // namespace flox::imageless
