// The marker in an image's root: any image may have a file of its name.
#include "imageless/image_marker.h"

#include <fmt/format.h>

#include "fuzz.h"

namespace flox::fuzz::of_image_marker {

void one(std::string_view input) {
  const auto marker = imageless::parse_image_marker(input);
  if (!marker) return;
  require(fmt::format("{} {}\n", marker->id, marker->environment) == input, "a marker is all of its file");
  require(marker->id.size() == 64 && !marker->environment.empty(), "it has an id and a name");
}

}  // namespace flox::fuzz::of_image_marker
