// Directories of the node's as containers get them: by a mount that is read-only by itself, whatever the
// options of the container's mount. An OCI runtime makes the places of a container's mounts in a root that is
// not trusted: a link of the image, or a mount inside an earlier one, can lead such a place into what is
// mounted from the node. crun applies "ro" only when all mounts are made, so of a writable directory the node
// itself would get the entry.
//
// Every host path in a PrepareResponse is such a mount, below one, or a view (store_views.h).
#pragma once

#include <filesystem>
#include <mutex>

namespace flox::node {

// Thread-safe. What is mounted outlives the object: a floxd that starts again finds it.
class ReadOnlyMount {
 public:
  // Shows `directory` at `place`, which is made.
  ReadOnlyMount(std::filesystem::path directory, std::filesystem::path place)
      : directory_(std::move(directory)), place_(std::move(place)) {}

  const std::filesystem::path& directory() const noexcept { return directory_; }
  const std::filesystem::path& place() const noexcept { return place_; }

  // The place. Mounted when it is first asked for, in the place of anything else that is mounted there.
  // Throws Error(unavailable) if this process may not mount.
  const std::filesystem::path& shown();

 private:
  const std::filesystem::path directory_, place_;
  std::mutex mutex_;
  bool is_mounted_ = false;
};

}  // namespace flox::node
