// The images that imageless pods name: containerd needs an image for every container, so these exist and are
// empty. We make them ourselves; they are imported locally or served by floxd on loopback, never pulled from
// a registry.
#pragma once

#include <filesystem>

#include "oci/image_layout.h"

namespace flox::node {

// ghcr.io/flox/flox:latest (working directory /flox, as the guide mounts it), docker.io/flox/empty:1.0.0, and
// flox.dev/pause:1.0.0 with the program `pause` in it, which keeps a pod's namespaces. Throws Error.
oci::ImageLayout make_stub_images(const std::filesystem::path& pause);

// The program `pause` as it is installed: flox-pause beside the program that runs.
std::filesystem::path installed_pause();

}  // namespace flox::node
