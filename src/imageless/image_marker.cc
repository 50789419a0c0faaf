#include "imageless/image_marker.h"

#include <algorithm>

#include "base/error.h"
#include "base/os/directory.h"
#include "protocol/image_marker.h"

namespace flox::imageless {
namespace {

constexpr size_t largest = protocol::image_id_size + 1 + protocol::longest_image_environment + 1;

}  // namespace

std::optional<ImageMarker> parse_image_marker(std::string_view text) {
  if (text.size() > largest || text.size() < protocol::image_id_size + 3 || !text.ends_with('\n'))
    return std::nullopt;
  const std::string_view id = text.substr(0, protocol::image_id_size);
  const std::string_view environment =
      text.substr(id.size() + 1, text.size() - id.size() - 2);  // without the line break
  const bool is_id = id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  const bool is_name = std::ranges::all_of(environment, [](char c) { return c > 0x20 && c < 0x7f; });
  if (!is_id || text[id.size()] != ' ' || !is_name) return std::nullopt;
  return ImageMarker{.id = std::string(id), .environment = std::string(environment)};
}

std::optional<ImageMarker> image_marker_in(const std::filesystem::path& root) {
  try {
    const Directory directory(root);
    if (!directory.exists(protocol::image_marker)) return std::nullopt;
    return parse_image_marker(directory.read_file(protocol::image_marker, largest));
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace flox::imageless
