#include "kube/reading/kustomize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/os/file.h"

namespace flox::kube {
namespace {

using nlohmann::json;

TEST(Kustomization, reads_nothing_outside_of_its_directory_and_not_itself) {
  TempDir dir;
  fs::create_directories(dir.path() / "k");
  write_file(dir.path() / "outside.yaml", "a: 1\n");
  fs::create_symlink(dir.path() / "outside.yaml", dir.path() / "k/link.yaml");
  for (const std::string text : {"resources: [../outside.yaml]", "resources: [link.yaml]",
                                 "patches: [{path: ../outside.yaml}]", "resources: [.]", "resources: [../k]",
                                 "resources: {a: b}", "resources: [[a]]", "patches: [{patch: [1]}]"}) {
    write_file(dir.path() / "k/kustomization.yaml", text + "\n");
    EXPECT_THROW(read_kustomization(dir.path() / "k"), Error) << text;
  }
}

TEST(Kustomization, completes_the_guides_fragments) {
  for (const std::string variant : {"avx2", "avx512"}) {
    const auto objects = read_kustomization(fs::path(FLOX_SOURCE_DIR) / "deploy/overlays" / variant);
    const auto found = std::find_if(objects.begin(), objects.end(),
                                    [](const json& object) { return object["kind"] == "Deployment"; });
    ASSERT_NE(found, objects.end());
    EXPECT_EQ((*found)["metadata"]["name"], "ticket-processor-" + variant);
    EXPECT_EQ((*found)["spec"]["replicas"], 3);
    EXPECT_THAT((*found)["spec"]["template"]["spec"]["initContainers"][0]["command"][2].get<std::string>(),
                testing::HasSubstr("flox install ticket-processor-" + variant + "\n"));
  }
}

TEST(Kustomization, says_which_fields_it_does_not_know) {
  TempDir dir;
  write_file(dir.path() / "kustomization.yaml", "resources: []\nnameSuffix: -x\n");
  EXPECT_THROW(read_kustomization(dir.path()), Error);
  EXPECT_THROW(read_kustomization(dir.path() / "nowhere"), Error);
}

TEST(MergePatch, merges_lists_by_their_key_and_deletes) {
  json object = json::parse(
      R"({"spec":{"containers":[{"name":"a","env":[{"name":"X","value":"1"},{"name":"Y","value":"2"}],"command":["old","b"]}],"gone":1}})");
  merge_patch(
      object,
      json::parse(
          R"({"spec":{"gone":null,"containers":[{"name":"a","command":["new"],"env":[{"name":"X","$patch":"delete"},{"name":"Z","value":"3"}]}]}})"));
  EXPECT_EQ(
      object,
      json::parse(
          R"({"spec":{"containers":[{"name":"a","env":[{"name":"Y","value":"2"},{"name":"Z","value":"3"}],"command":["new"]}]}})"));
}

}  // namespace
}  // namespace flox::kube
