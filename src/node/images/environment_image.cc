#include "node/images/environment_image.h"

#include <nlohmann/json.hpp>

#include "base/data/bytes.h"
#include "base/data/json.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "catalog/environment_name.h"
#include "protocol/image_marker.h"

namespace flox::node {
namespace {

using nlohmann::json;

constexpr const char* image_name = "flox.local/environment:latest";  // of the layout, which nobody imports

std::string hex(const Sha256Digest& digest) { return to_hex(bytes_of(digest)); }

// What a container of a package runs that names no command: the package's program, as `nix run` does.
std::vector<std::string> command_of(const EnvironmentImage& image) {
  if (catalog::is_environment_name(image.environment)) return {};
  return {image.name};
}

bool is_id(std::string_view text) {
  return text.size() == protocol::image_id_size &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

std::string image_id(const EnvironmentImage& image, std::string_view key) {
  const std::string content =
      fmt::format("flox-image 1\n{}\n{}\n{}", image.environment, image.name, image.lock.to_compact_string());
  return hex(image.is_private ? hmac_sha256(key, content) : sha256(content));
}

oci::ImageLayout layout_of(const EnvironmentImage& image) {
  return oci::make_image_layout(
      {{.name = image_name,
        .env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        .command = command_of(image),
        .labels = {{"dev.flox.environment", image.environment},
                   {"dev.flox.lock", "sha256:" + hex(sha256(image.lock.to_compact_string()))}},
        .files = {{protocol::image_marker, fmt::format("{} {}\n", image.id, image.environment)}}}},
      oci::current_architecture());
}

std::string manifest_digest(const oci::ImageLayout& layout) { return layout.manifests.at(image_name); }

json to_json(const EnvironmentImage& image) {
  json document = {{"version", 1},
                   {"id", image.id},
                   {"environment", image.environment},
                   {"name", image.name},
                   {"lock", image.lock.to_compact_string()},
                   {"owner", image.provenance.owner},
                   {"signers", image.provenance.signers},
                   {"proved_by", image.proved_by},
                   {"private", image.is_private}};
  if (image.generation) document["generation"] = *image.generation;
  return document;
}

EnvironmentImage image_from_json(const json& document, std::string_view name) {
  const json& version = member(document, "version", name);
  if (version != 1) fail(ErrorKind::invalid_input, "{}: version {} is not known here", name, version.dump());
  EnvironmentImage image{.id = string_member(document, "id", name),
                         .environment = string_member(document, "environment", name),
                         .name = string_member(document, "name", name),
                         .lock = env::Lockfile::parse(string_member(document, "lock", name), name),
                         .provenance = {.owner = string_member(document, "owner", name), .signers = {}},
                         .proved_by = string_member(document, "proved_by", name)};
  if (!is_id(image.id)) fail(ErrorKind::invalid_input, "{}: 'id' is not one", name);
  const json& is_private = member(document, "private", name);
  const json& signers = member(document, "signers", name);
  if (!is_private.is_boolean() || !signers.is_array())
    fail(ErrorKind::invalid_input, "{}: 'private' or 'signers' is of another type", name);
  image.is_private = is_private.get<bool>();
  for (const json& signer : signers) {
    if (!signer.is_string()) fail(ErrorKind::invalid_input, "{}: a signer is not a text", name);
    image.provenance.signers.push_back(signer.get<std::string>());
  }
  if (const auto generation = document.find("generation"); generation != document.end()) {
    if (!generation->is_number_integer()) fail(ErrorKind::invalid_input, "{}: 'generation' is not one", name);
    image.generation = generation->get<int64_t>();
  }
  return image;
}

}  // namespace flox::node
