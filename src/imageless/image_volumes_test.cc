#include "imageless/image_volumes.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/os/file.h"

namespace flox::imageless {
namespace {

namespace fs = std::filesystem;

class ImageVolumesTest : public testing::Test {
 protected:
  fs::path with_marker(const fs::path& path) const {
    const fs::path directory = directory_.path() / path;
    fs::create_directories(directory);
    std::ofstream(directory / ".flox-image") << std::string(64, 'a') << " models@1\n";
    return directory;
  }
  static oci::RuntimeSpec spec_with(const fs::path& source, const std::string& sandbox = "pod1") {
    const nlohmann::json document = {
        {"annotations", {{"io.kubernetes.cri.sandbox-id", sandbox}}},
        {"mounts",
         {{{"destination", "/proc"}, {"type", "proc"}, {"source", "proc"}},
          {{"destination", "/models"}, {"type", "bind"}, {"source", source}, {"options", {"rbind", "ro"}}}}}};
    return oci::RuntimeSpec::parse(document.dump());
  }
  const std::string digest_ = std::string(64, '0');
  const TempDir directory_;
};

TEST_F(ImageVolumesTest, are_what_containerd_has_mounted_of_images_with_a_marker) {
  const auto volumes = image_volumes_of(spec_with(with_marker("image-volumes/pod1/" + digest_)));
  ASSERT_EQ(volumes.size(), 1u);
  EXPECT_EQ(volumes[0].mount, 1u);
  EXPECT_EQ(volumes[0].marker.environment, "models@1");
}

TEST_F(ImageVolumesTest, other_volumes_are_left_alone) {
  for (const fs::path& path :
       {fs::path("volumes/kubernetes.io~empty-dir/" + digest_), fs::path("image-volumes/pod2") / digest_,
        fs::path("image-volumes/pod1/short"), fs::path("image-volumes/pod1") / digest_ / "below"})
    EXPECT_TRUE(image_volumes_of(spec_with(with_marker(path))).empty()) << path;
  const fs::path ordinary = directory_.path() / "image-volumes/pod1" / std::string(64, '1');
  fs::create_directories(ordinary);
  EXPECT_TRUE(image_volumes_of(spec_with(ordinary)).empty()) << "an image of another registry";
  EXPECT_TRUE(image_volumes_of(spec_with(ordinary, "")).empty());
  for (const char* text : {"{}", R"({"mounts":7})", R"({"mounts":[7,{"source":7},{}]})"})
    EXPECT_TRUE(image_volumes_of(oci::RuntimeSpec::parse(text)).empty()) << text;
}

TEST_F(ImageVolumesTest, get_another_source_and_cannot_be_written_to) {
  oci::RuntimeSpec spec = spec_with(with_marker("image-volumes/pod1/" + digest_));
  spec.set_mount(1, {"", "bind", "/host/nix/store/x-models", {"rbind", "ro"}});
  const auto& mount = spec.document()["mounts"][1];
  EXPECT_EQ(mount["destination"], "/models");
  EXPECT_EQ(mount["source"], "/host/nix/store/x-models");
}

}  // namespace
}  // namespace flox::imageless
