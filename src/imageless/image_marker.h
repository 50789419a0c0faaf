// The marker in the root of a container whose image is an environment (protocol/image_marker.h,
// docs/formats/environment-image.md).
#pragma once  // Fuzzed by fuzz/image_marker.cc.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace flox::imageless {

struct ImageMarker {
  std::string id;
  std::string environment;
};

// Nothing for what is no marker.
std::optional<ImageMarker> parse_image_marker(std::string_view text);

// Of a container's root, or of the directory of an image volume. Nothing if there is none, or something else
// of its name: any image may have a file that is called so.
std::optional<ImageMarker> image_marker_in(const std::filesystem::path& root);

}  // namespace flox::imageless
