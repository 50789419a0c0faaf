// The file by which the shim knows an image that is an environment: floxd puts it into the image's only
// layer.
#pragma once

namespace flox::protocol {

// In the image's root. Its content is "ID ENVIRONMENT\n": 64 hexadecimal digits, and what people call it.
inline constexpr const char* image_marker = ".flox-image";
inline constexpr unsigned image_id_size = 64;
inline constexpr unsigned longest_image_environment = 512;  // bytes

}  // namespace flox::protocol
