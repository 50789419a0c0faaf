// References of images, as a pod's author writes them: what they name must be no path and no option.
#include <algorithm>
#include <optional>

#include "fuzz.h"
#include "node/images/reference.h"

namespace flox::fuzz::of_image_reference {

void one(std::string_view input) {
  std::optional<std::string> named;
  if (!accepts([&] { named = node::environment_of_image(input); }) || !named) return;
  require(!named->empty(), "it names something");
  require(std::ranges::all_of(*named, [](char c) { return c > 0x20 && c < 0x7f; }),
          "it is printable, without spaces");
  require(named->find("/../") == std::string::npos, "it leads nowhere else");
  require(!named->starts_with('/') || named->starts_with("/nix/store/"), "its only paths are store paths");
}

}  // namespace flox::fuzz::of_image_reference
