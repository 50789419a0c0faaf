// How the leases of images are called.
#pragma once

#include <string_view>

namespace flox::node {

// Followed by the image's id.
inline constexpr std::string_view image_holder_prefix = "image-";

}  // namespace flox::node
