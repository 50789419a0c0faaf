// A read-only OCI registry for images that we make ourselves (OCI distribution spec 1.0: /v2/, manifests,
// blobs), so that pods whose imagePullPolicy is Always start without a network. containerd is led here by a
// hosts.toml for each of the images' registries, and says with ?ns=REGISTRY which one it means; what is not
// ours it then asks of the real one.
#pragma once

#include "base/net/server/http_server.h"
#include "oci/image_layout.h"

namespace flox::node {

class Registry {
 public:
  explicit Registry(oci::ImageLayout images) : images_(std::move(images)) {}

  // Throws Error(not_found) for what is not there, and Error(invalid_input) for anything but GET and HEAD.
  // Thread-safe.
  ServerResponse answer(const ServerRequest& request) const;

 private:
  std::string manifest_of(const ServerRequest& request, const std::string& name,
                          const std::string& reference) const;
  oci::ImageLayout images_;
};

}  // namespace flox::node
