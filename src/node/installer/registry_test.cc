#include "node/installer/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "base/error.h"

namespace flox::node {
namespace {

class RegistryTest : public testing::Test {
 protected:
  ServerResponse get(const std::string& path, const std::string& registry = "") const {
    ServerRequest request{.method = "GET", .path = path};
    if (!registry.empty()) request.query["ns"] = registry;
    return registry_.answer(request);
  }
  ErrorKind refusal(const std::string& path, const std::string& registry = "") const {
    try {
      get(path, registry);
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::internal;
  }
  Registry registry_{
      oci::make_image_layout({{.name = "ghcr.io/flox/flox:latest", .working_directory = "/flox"},
                              {.name = "flox.dev/pause:1.0.0", .files = {{"pause", "program"}}}},
                             "amd64")};
};

TEST_F(RegistryTest, serves_an_image_from_its_name_to_its_layers) {
  EXPECT_EQ(get("/v2/").body, "{}");
  const ServerResponse by_tag = get("/v2/flox/flox/manifests/latest", "ghcr.io");
  EXPECT_EQ(by_tag.content_type, oci::manifest_media_type);
  const std::string digest = by_tag.headers.at("Docker-Content-Digest");
  EXPECT_EQ(get("/v2/flox/flox/manifests/" + digest).body, by_tag.body);
  const auto manifest = parse_json(by_tag.body, "manifest");
  const std::string config = manifest["config"]["digest"], layer = manifest["layers"][0]["digest"];
  EXPECT_EQ(parse_json(get("/v2/flox/flox/blobs/" + config).body, "config")["config"]["WorkingDir"], "/flox");
  EXPECT_EQ(get("/v2/flox/flox/blobs/" + layer).body.size(), manifest["layers"][0]["size"]);
}

TEST_F(RegistryTest, has_only_what_is_ours) {
  EXPECT_EQ(refusal("/v2/flox/flox/manifests/latest", "docker.io"), ErrorKind::not_found);
  EXPECT_EQ(refusal("/v2/flox/flox/manifests/1.0"), ErrorKind::not_found);
  EXPECT_EQ(refusal("/v2/library/busybox/manifests/latest", "docker.io"), ErrorKind::not_found);
  EXPECT_EQ(refusal("/v2/flox/flox/blobs/sha256:00"), ErrorKind::not_found);
  for (const char* path :
       {"/", "/v3/", "/v2/x", "/v2//manifests/", "/v2/manifests/latest", "/v2/a/tags/list"})
    EXPECT_EQ(refusal(path), ErrorKind::not_found) << path;
}

TEST_F(RegistryTest, takes_nothing) {
  EXPECT_THROW(registry_.answer({.method = "PUT", .path = "/v2/flox/flox/manifests/latest"}), Error);
}

}  // namespace
}  // namespace flox::node
