// Environments that are pulled as images (docs/how-to/use-environments-as-images.md): resolves and realises
// what an image names, keeps it while containerd has the image, and gives containers what was pulled.
#pragma once

#include <memory>
#include <string>

#include "base/data/secret.h"
#include "node/floxd/environments.h"
#include "node/images/image_records.h"
#include "node/images/lease.h"

namespace flox::node {

// Thread-safe; calls block.
class Images {
 public:
  // `state`: floxd's directory. Throws Error.
  Images(const Config& config, Environments& environments, const std::filesystem::path& state);

  // What the environment is now: "acme/web", "hello@1.0" or a store path; without its id. `token` is
  // somebody's own for the catalog; without one the node's login counts. Throws Error, as
  // Environments::lock_of does.
  EnvironmentImage resolve(const std::string& environment, const Secret& token) const;
  // Has the closure present and leased, and the image written down. Throws Error.
  std::shared_ptr<const KeptImage> realise(EnvironmentImage image, const Secret& token);
  // The image of a container that starts, by its marker. What this node has forgotten is resolved once more,
  // if everybody may pull it. Throws Error(not_found), with advice, if that is something else now.
  std::shared_ptr<const KeptImage> of_container(const std::string& id, const std::string& environment);

  // Ends the leases of images that containerd has removed.
  void sweep();
  ImageRecords& records() noexcept { return records_; }

 private:
  const Config& config_;
  Environments& environments_;
  ImageRecords records_;
};

}  // namespace flox::node
