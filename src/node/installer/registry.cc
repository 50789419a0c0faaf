#include "node/installer/registry.h"

#include "base/error.h"

namespace flox::node {
namespace {

constexpr std::string_view root = "/v2";
constexpr std::string_view algorithm = "sha256:";

// "/v2/NAME/KIND/REFERENCE", where NAME may have slashes.
struct Wanted {
  std::string name, kind, reference;
};

Wanted parse(const std::string& path) {
  const size_t reference = path.rfind('/');
  const size_t kind =
      reference == std::string::npos || reference == 0 ? reference : path.rfind('/', reference - 1);
  const size_t begin = root.size() + 1;
  if (!path.starts_with(std::string(root) + "/") || kind == std::string::npos || kind <= begin)
    fail(ErrorKind::not_found, "{} is not a path of a registry", path);
  return {path.substr(begin, kind - begin), path.substr(kind + 1, reference - kind - 1),
          path.substr(reference + 1)};
}

}  // namespace

ServerResponse Registry::answer(const ServerRequest& request) const {
  if (request.method != "GET" && request.method != "HEAD")
    fail(ErrorKind::invalid_input, "{} {}: this registry is read-only", request.method, request.path);
  if (request.path == root || request.path == std::string(root) + "/")
    return {.content_type = "application/json",
            .body = "{}",
            .headers = {{"Docker-Distribution-API-Version", "registry/2.0"}}};
  const Wanted wanted = parse(request.path);
  std::string hex;
  if (wanted.kind == "manifests")
    hex = manifest_of(request, wanted.name, wanted.reference);
  else if (wanted.kind == "blobs" && wanted.reference.starts_with(algorithm))
    hex = wanted.reference.substr(algorithm.size());
  else
    fail(ErrorKind::not_found, "{} is not a path of a registry", request.path);
  const auto blob = images_.blobs.find(hex);
  if (blob == images_.blobs.end()) fail(ErrorKind::not_found, "{} has no {}", wanted.name, wanted.reference);
  return {.content_type = wanted.kind == "manifests" ? oci::manifest_media_type : "application/octet-stream",
          .body = blob->second,
          .headers = {{"Docker-Content-Digest", std::string(algorithm) + hex}}};
}

std::string Registry::manifest_of(const ServerRequest& request, const std::string& name,
                                  const std::string& reference) const {
  if (reference.starts_with(algorithm)) return reference.substr(algorithm.size());
  const auto registry = request.query.find("ns");
  const std::string tail = "/" + name + ":" + reference;
  for (const auto& [image, hex] : images_.manifests)
    if (registry == request.query.end() ? image.ends_with(tail) : image == registry->second + tail)
      return hex;
  fail(ErrorKind::not_found, "{}:{} is not one of this node's stub images", name, reference);
}

}  // namespace flox::node
