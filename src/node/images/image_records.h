// The images that floxd has given to containerd, each in a file: with them a container starts whatever the
// catalog does meanwhile, and after a restart of floxd.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "node/images/environment_image.h"

namespace flox::node {

struct KeptImage {
  EnvironmentImage image;
  oci::ImageLayout layout;  // its blobs
  std::string manifest;     // hexadecimal digest
};

// Thread-safe.
class ImageRecords {
 public:
  // Makes the directory, which is root's alone. A file that cannot be read is logged and ignored: its image
  // is pulled again. Throws Error.
  explicit ImageRecords(const std::filesystem::path& directory);

  // With its id; writes it down. Throws Error.
  std::shared_ptr<const KeptImage> keep(EnvironmentImage image);
  // The id that it would get.
  std::string id_of(const EnvironmentImage& image) const { return image_id(image, key_); }
  // Null if there is none.
  std::shared_ptr<const KeptImage> find(const std::string& id) const;
  // The image with this manifest, configuration or layer. Null if there is none.
  std::shared_ptr<const KeptImage> with_blob(const std::string& hex) const;

  // Forgets what containerd has not got any more: no manifest in `content`, containerd's directory of blobs
  // by their digests, and not asked for within `grace`. `forgotten` is called with the id of each, and until
  // it returns nobody can keep it again. Nothing if there is no such directory, for then nobody knows.
  void forget_unused(const std::filesystem::path& content, std::chrono::steady_clock::duration grace,
                     const std::function<void(const std::string&)>& forgotten);

 private:
  using Clock = std::chrono::steady_clock;
  struct Entry {
    std::shared_ptr<const KeptImage> kept;
    Clock::time_point asked_at;
  };
  void add(EnvironmentImage image);  // under the mutex
  std::filesystem::path directory_;
  std::string key_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, Entry> by_id_;
  std::map<std::string, std::string> by_blob_;  // to the id
};

}  // namespace flox::node
