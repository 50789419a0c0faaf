// The images that imageless pods name: containerd must know an image for every container, so these exist and
// hold nothing. Written by us and imported locally; no registry is asked.
#pragma once

#include <filesystem>

namespace flox::node {

// ghcr.io/flox/flox:latest (working directory /flox, as the guide mounts it), docker.io/flox/empty:1.0.0, and
// flox.dev/pause:1.0.0 with the program `pause` in it, which keeps a pod's namespaces. Throws Error.
void write_stub_images(const std::filesystem::path& archive, const std::filesystem::path& pause);

}  // namespace flox::node
