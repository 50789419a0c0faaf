// Images that are environments: what they say of theirs, and the bytes that containerd gets of them
// (docs/formats/environment-image.md).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "env/lockfile.h"
#include "node/policy/decision.h"
#include "oci/image_layout.h"

namespace flox::node {

struct EnvironmentImage {
  std::string id;           // 64 hexadecimal digits
  std::string environment;  // what it is, with its generation or version: "acme/web:3", "hello@1.0"
  std::string name;         // of the environment, for its activation
  std::optional<int64_t> generation = {};  // of a published environment
  env::Lockfile lock;
  policy::Provenance provenance;  // what its owner's signature proves
  std::string proved_by;          // the same for people
  bool is_private = false;        // it was pulled with somebody's own token
};

// The id: of what everybody may pull it is a digest, the same on each node. Of what is private it is one
// under `key`, which only this node has, so that nobody can name what he has not pulled.
std::string image_id(const EnvironmentImage& image, std::string_view key);

// Its blobs: a manifest, a configuration with the labels dev.flox.environment and dev.flox.lock, and a layer
// with the file that the shim reads (protocol/image_marker.h). Equal images give equal bytes.
oci::ImageLayout layout_of(const EnvironmentImage& image);
// The digest of its manifest, hexadecimal.
std::string manifest_digest(const oci::ImageLayout& layout);

// As a file of the node's. from_json throws Error(invalid_input) "NAME: …".
nlohmann::json to_json(const EnvironmentImage& image);
EnvironmentImage image_from_json(const nlohmann::json& document, std::string_view name);

}  // namespace flox::node
