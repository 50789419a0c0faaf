// Who is answered, and how what is wrong is said. That images are resolved and fetched, test/node/images.sh
// shows.
#include "node/floxd/image_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/data/bytes.h"
#include "base/data/json.h"
#include "base/os/file.h"

namespace flox::node {
namespace {

using testing::HasSubstr;
using testing::Not;

struct ConfigIn : Config {
  explicit ConfigIn(const std::filesystem::path& directory) { root = directory; }
};

class ImageRegistryTest : public testing::Test {
 protected:
  ImageRegistryTest()
      : store_(directory_.path()),
        peers_(config_, directory_.path(), store_, metrics_),
        environments_(config_, store_, peers_, metrics_),
        images_(config_, environments_, directory_.path()),
        registry_(images_, {.key = Secret("key"), .endpoint = "http://127.0.0.1:9809"}) {}

  ServerResponse ask(const std::string& path, std::map<std::string, std::string> headers = {}) {
    return registry_.answer(
        {.method = "GET", .path = path, .query = {{"ns", "flox.local"}}, .headers = std::move(headers)});
  }
  static std::string token_in(const ServerResponse& response) {
    return parse_json(response.body, "answer").at("token");
  }
  static std::string basic(const std::string& login) { return "Basic " + to_base64(login); }

  const TempDir directory_;
  const ConfigIn config_{directory_.path()};
  store::LocalStore store_;
  Metrics metrics_;
  Peers peers_;
  Environments environments_;
  Images images_;
  ImageRegistry registry_;
};

TEST_F(ImageRegistryTest, is_asked_for_flox_local_and_for_tokens) {
  EXPECT_TRUE(
      ImageRegistry::is_for({.method = "GET", .path = "/v2/a/manifests/1", .query = {{"ns", "flox.local"}}}));
  EXPECT_TRUE(ImageRegistry::is_for({.method = "GET", .path = "/token"}));
  EXPECT_FALSE(ImageRegistry::is_for({.method = "GET", .path = "/v2/a/manifests/1"}));
  EXPECT_FALSE(
      ImageRegistry::is_for({.method = "GET", .path = "/v2/a/manifests/1", .query = {{"ns", "ghcr.io"}}}));
}

TEST_F(ImageRegistryTest, answers_nobody_without_the_nodes_key) {
  for (const char* path :
       {"/v2/", "/v2/hello/manifests/1.0", "/v2/hello/blobs/sha256:00", "/v2/acme/web/tags/list"})
    for (const char* key : {"", "kez", "key "}) {
      const ServerResponse response = ask(path, {{"x-flox-node-key", key}});
      EXPECT_EQ(response.status, 403) << path;
      EXPECT_THAT(response.reason, HasSubstr("serves this node's containerd only"));
    }
  EXPECT_EQ(ask("/v2/").status, 403);
  EXPECT_EQ(ask("/v2/", {{"x-flox-node-key", "key"}}).status, 200);
}

TEST_F(ImageRegistryTest, without_a_key_answers_nobody_at_all) {
  ImageRegistry closed(images_, {.key = {}, .endpoint = ""});
  EXPECT_EQ(closed
                .answer({.method = "GET",
                         .path = "/v2/",
                         .query = {{"ns", "flox.local"}},
                         .headers = {{"x-flox-node-key", ""}}})
                .status,
            403);
}

TEST_F(ImageRegistryTest, gives_the_password_back_as_the_token_and_keeps_nothing) {
  EXPECT_EQ(token_in(ask("/token")), "anonymous");
  EXPECT_EQ(token_in(ask("/token", {{"authorization", basic("flox:s3cret:x")}})), "s3cret:x");
  for (const std::string& login : {std::string("flox"), std::string("flox:"), std::string("flox:a b"),
                                   std::string("flox:a\nb"), std::string("flox:\xc3\xa9")})
    EXPECT_EQ(ask("/token", {{"authorization", basic(login)}}).status, 400) << login;
  EXPECT_EQ(ask("/token", {{"authorization", "Basic ???"}}).status, 400);
  EXPECT_EQ(token_in(ask("/token", {{"authorization", "Basic " + std::string(10'000, 'a')}})), "anonymous");
}

TEST_F(ImageRegistryTest, says_what_is_wrong_in_the_status_line_and_in_the_registrys_form) {
  const std::map<std::string, std::string> key = {{"x-flox-node-key", "key"}};
  const ServerResponse response = ask("/v2/acme/web/manifests/stable", key);
  EXPECT_EQ(response.status, 400);
  EXPECT_THAT(response.reason, HasSubstr("'stable' is not a generation"));
  const auto error = parse_json(response.body, "answer").at("errors").at(0);
  EXPECT_EQ(error.at("code"), "NAME_INVALID");
  EXPECT_THAT(error.at("message").get<std::string>(), HasSubstr("as acme/web:3"));
  for (const char* path : {"/", "/v2", "/v2/a", "/v2//manifests/x", "/v2/a/b", "/v2/../../etc/passwd",
                           "/v2/a\xc3\xa9/manifests/1\xc3\xa9"}) {
    const ServerResponse odd = ask(path, key);
    for (const char c : odd.reason) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << path;
    EXPECT_LE(odd.reason.size(), 1000u);
  }
}

TEST_F(ImageRegistryTest, who_brings_no_token_is_asked_for_one_before_it_is_told_that_nothing_is_there) {
  std::map<std::string, std::string> headers = {{"x-flox-node-key", "key"}};
  const std::string path = "/v2/acme/web/blobs/sha256:" + std::string(64, 'a');
  const ServerResponse first = ask(path, headers);
  EXPECT_EQ(first.status, 401);
  EXPECT_EQ(
      first.headers.at("WWW-Authenticate"),
      R"(Bearer realm="http://127.0.0.1:9809/token",service="flox.local",scope="repository:acme/web:pull")");
  headers["authorization"] = "Bearer anonymous";
  const ServerResponse second = ask(path, headers);
  EXPECT_EQ(second.status, 422);
  EXPECT_THAT(second.reason, HasSubstr("no image with that digest"));
}

TEST_F(ImageRegistryTest, a_private_image_is_given_only_to_the_token_that_pulled_it) {
  EnvironmentImage image;
  image.environment = "acme/secret:1";
  image.name = "secret";
  image.lock.manifest = nlohmann::json::object();
  const auto open = images_.records().keep(image);
  image.is_private = true;
  const auto kept = images_.records().keep(image);
  std::map<std::string, std::string> headers = {{"x-flox-node-key", "key"},
                                                {"authorization", "Bearer anonymous"}};
  EXPECT_EQ(ask("/v2/acme/secret/manifests/sha256:" + open->manifest, headers).status, 200);
  for (const auto& [hex, bytes] : kept->layout.blobs)
    for (const char* who : {"Bearer anonymous", "Bearer other", "Basic eDp5"}) {
      headers["authorization"] = who;
      EXPECT_GE(ask("/v2/acme/secret/blobs/sha256:" + hex, headers).status, 400);
    }
}

}  // namespace
}  // namespace flox::node
