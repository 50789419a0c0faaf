#include "node/stub_images.h"

#include "base/file.h"
#include "oci/image_layout.h"

namespace flox::node {

void write_stub_images(const std::filesystem::path& archive, const std::filesystem::path& pause) {
  const std::vector<std::string> env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
  oci::write_image_archive(
      archive,
      {{.name = "ghcr.io/flox/flox:latest", .working_directory = "/flox", .env = env},
       {.name = "docker.io/flox/empty:1.0.0", .env = env},
       {.name = "flox.dev/pause:1.0.0", .entrypoint = {"/pause"}, .files = {{"pause", read_file(pause)}}}},
      oci::current_architecture());
}

}  // namespace flox::node
