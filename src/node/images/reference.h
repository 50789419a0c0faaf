// What the images of flox.local name: their references have an environment, a package or a store path where
// other images have a repository and a tag (docs/formats/environment-image.md).
#pragma once  // Fuzzed by fuzz/image_reference.cc.

#include <optional>
#include <string>
#include <string_view>

namespace flox::node {

// The registry that there is on every node, and nowhere else.
inline constexpr std::string_view image_host = "flox.local";

// What an image names, as the annotation flox.dev/environment does: "acme/web:3", "hello@1.0"; or a store
// path. `repository` is without the host; the tag "latest" stands for the newest. Throws
// Error(invalid_input), saying what is wrong.
std::string environment_of_image(std::string_view repository, std::string_view tag);

// The same for a whole reference, "flox.local/acme/web:3", with or without tag and digest; nothing if it is
// an image of another registry.
std::optional<std::string> environment_of_image(std::string_view reference);

}  // namespace flox::node
