#include "node/images/environment_image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "base/error.h"

namespace flox::node {
namespace {

constexpr const char* path = "/nix/store/22222222222222222222222222222222-web";

EnvironmentImage web(int64_t generation, bool is_private = false) {
  EnvironmentImage image{.id = {},
                         .environment = fmt::format("acme/web:{}", generation),
                         .name = "web",
                         .generation = generation,
                         .lock = {},
                         .provenance = {.owner = "acme", .signers = {"alice-1"}},
                         .proved_by = "signed by alice-1",
                         .is_private = is_private};
  image.lock.manifest = {{"install", {{"web", {{"store-path", path}}}}}};
  image.lock.packages.push_back(env::LockedPackage::from_json(
      {{"install_id", "web"}, {"store_path", path}, {"system", "x86_64-linux"}, {"priority", 5}}));
  image.id = image_id(image, "key");
  return image;
}

nlohmann::json blob(const oci::ImageLayout& layout, const std::string& digest) {
  return parse_json(layout.blobs.at(digest.substr(digest.find(':') + 1)), "blob");
}

TEST(EnvironmentImageTest, has_a_manifest_a_configuration_and_a_layer_with_the_marker) {
  const EnvironmentImage image = web(3);
  const oci::ImageLayout layout = layout_of(image);
  EXPECT_EQ(layout.blobs.size(), 3u);
  const auto manifest = blob(layout, manifest_digest(layout));
  const auto config = blob(layout, manifest["config"]["digest"].get<std::string>());
  EXPECT_EQ(config["config"]["Labels"]["dev.flox.environment"], "acme/web:3");
  EXPECT_FALSE(config["config"].contains("Cmd")) << "an environment has no command of its own";
  const std::string layer = manifest["layers"][0]["digest"].get<std::string>().substr(7);
  EXPECT_THAT(layout.blobs.at(layer), testing::HasSubstr(image.id + " acme/web:3\n"));
  EXPECT_THAT(layout.blobs.at(layer), testing::HasSubstr(".flox-image"));
  for (const auto& [hex, bytes] : layout.blobs) EXPECT_LT(bytes.size(), 4096u) << hex;
}

TEST(EnvironmentImageTest, is_the_same_on_each_node_and_another_for_each_generation) {
  EXPECT_EQ(layout_of(web(3)).blobs, layout_of(web(3)).blobs);
  EXPECT_EQ(image_id(web(3), "one node"), image_id(web(3), "another node"));
  EXPECT_NE(web(3).id, web(4).id);
  EnvironmentImage other = web(3);
  other.lock.manifest["vars"] = {{"COLOUR", "red"}};
  EXPECT_NE(image_id(other, "key"), web(3).id) << "a generation that was pushed anew elsewhere";
}

TEST(EnvironmentImageTest, a_private_one_cannot_be_guessed) {
  EXPECT_NE(image_id(web(3, true), "one node"), image_id(web(3, true), "another node"));
  EXPECT_NE(web(3, true).id, web(3).id);
}

TEST(EnvironmentImageTest, a_package_runs_its_program) {
  EnvironmentImage image = web(1);
  image.environment = "web@1.0";
  image.generation.reset();
  const oci::ImageLayout layout = layout_of(image);
  const auto manifest = blob(layout, manifest_digest(layout));
  const auto config = blob(layout, manifest["config"]["digest"].get<std::string>());
  EXPECT_EQ(config["config"]["Cmd"], nlohmann::json({"web"}));
}

TEST(EnvironmentImageTest, is_read_as_it_was_written) {
  for (const bool is_private : {false, true}) {
    const EnvironmentImage image = web(3, is_private);
    const EnvironmentImage again = image_from_json(to_json(image), "file");
    EXPECT_EQ(to_json(again), to_json(image));
    EXPECT_EQ(image_id(again, "key"), image.id);
  }
  for (const char* member : {"version", "id", "lock", "private", "signers", "environment"}) {
    auto document = to_json(web(3));
    document.erase(member);
    EXPECT_THROW(image_from_json(document, "file"), Error) << member;
    document[member] = 7;
    EXPECT_THROW(image_from_json(document, "file"), Error) << member;
  }
}

}  // namespace
}  // namespace flox::node
