#include "imageless/image_volumes.h"

#include <nlohmann/json.hpp>

namespace flox::imageless {
namespace {

constexpr size_t most_volumes = 256;  // a pod has a few
constexpr size_t digest_size = 64;    // hexadecimal digits

bool is_image_volume(const std::filesystem::path& source, const std::string& sandbox) {
  const std::string digest = source.filename();
  const std::filesystem::path parent = source.parent_path();
  return source.is_absolute() && digest.size() == digest_size &&
         digest.find_first_not_of("0123456789abcdef") == std::string::npos && parent.filename() == sandbox &&
         parent.parent_path().filename() == "image-volumes";
}

}  // namespace

std::vector<ImageVolume> image_volumes_of(const oci::RuntimeSpec& spec) {
  std::vector<ImageVolume> volumes;
  const std::string sandbox = spec.annotation("io.kubernetes.cri.sandbox-id");
  const oci::Json& document = spec.document();
  const auto mounts = document.find("mounts");
  if (sandbox.empty() || mounts == document.end() || !mounts->is_array()) return volumes;
  for (size_t i = 0; i < mounts->size() && volumes.size() < most_volumes; ++i) {
    const oci::Json& mount = (*mounts)[i];
    const auto source = mount.is_object() ? mount.find("source") : mount.end();
    if (!mount.is_object() || source == mount.end() || !source->is_string()) continue;
    const std::filesystem::path directory = source->get<std::string>();
    if (!is_image_volume(directory, sandbox)) continue;
    if (auto marker = image_marker_in(directory))
      volumes.push_back({.mount = i, .marker = *std::move(marker)});
  }
  return volumes;
}

}  // namespace flox::imageless
