#include "imageless/reserved_places.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/at_or_below.h"
#include "base/error.h"

namespace flox::imageless {
namespace {

// A pod has tens of them; more would cost time for nothing.
constexpr size_t place_limit = 4096;

// A reserved place, and where it is in the root.
struct Reserved {
  std::string place, real;
};

// A link of the image would have the OCI runtime make our place inside what the pod mounts at `place`, which
// is at `real`: perhaps a directory of the node's that the pod may only read. A mount above it by its text is
// the pod's own wish.
void check_link(const Reserved& ours, const std::string& place, const std::string& real) {
  if (ours.real == ours.place || is_at_or_below(ours.place, normalised_path(place)) ||
      !is_at_or_below(ours.real, real))
    return;
  throw Error(ErrorKind::conflict,
              fmt::format("a link of the image leads {} to {}, and the pod mounts a volume at {}", ours.place,
                          ours.real, place),
              "Mount it elsewhere, or use an image without that link.");
}

}  // namespace

void check_places(const oci::RuntimeSpec& spec, const Resolve& resolve) {
  const std::array<Reserved, 2> reserved = {{{"/nix", resolve("/nix")}, {"/run/flox", resolve("/run/flox")}}};
  const std::vector<std::string> places = spec.places();
  if (places.size() > place_limit)
    fail(ErrorKind::invalid_input, "the container has {} mounts and devices, more than {}", places.size(),
         place_limit);
  for (const std::string& place : places) {
    const std::string resolved = resolve(place);
    for (const std::string& real : {normalised_path(place), resolved}) {
      const bool taken = real == "/" || std::ranges::any_of(reserved, [&](const Reserved& ours) {
                           return is_at_or_below(real, ours.place) || is_at_or_below(real, ours.real);
                         });
      if (!taken) continue;
      const std::string which = real == place ? "" : fmt::format(", which is {}", real);
      throw Error(ErrorKind::conflict, fmt::format("the pod mounts a volume at {}{}", place, which),
                  "Mount it elsewhere: the environment needs /nix and /run/flox.");
    }
    for (const Reserved& ours : reserved) check_link(ours, place, resolved);
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
