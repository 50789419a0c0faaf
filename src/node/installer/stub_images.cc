#include "node/installer/stub_images.h"

#include "base/os/file.h"

namespace flox::node {

oci::ImageLayout make_stub_images(const std::filesystem::path& pause) {
  const std::vector<std::string> env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
  return oci::make_image_layout(
      {{.name = "ghcr.io/flox/flox:latest", .working_directory = "/flox", .env = env},
       {.name = "docker.io/flox/empty:1.0.0", .env = env},
       {.name = "flox.dev/pause:1.0.0", .entrypoint = {"/pause"}, .files = {{"pause", read_file(pause)}}}},
      oci::current_architecture());
}

std::filesystem::path installed_pause() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "flox-pause";
}

}  // namespace flox::node
