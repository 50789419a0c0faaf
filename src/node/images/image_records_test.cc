#include "node/images/image_records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "base/error.h"
#include "base/os/file.h"

namespace flox::node {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

EnvironmentImage image_of(const std::string& environment, bool is_private = false) {
  EnvironmentImage image;
  image.environment = environment;
  image.name = "web";
  image.lock.manifest = nlohmann::json::object();
  image.is_private = is_private;
  return image;
}

class ImageRecordsTest : public testing::Test {
 protected:
  fs::path images() const { return directory_.path() / "images"; }
  fs::path content() const { return directory_.path() / "content"; }
  void containerd_has(const std::string& digest) const {
    fs::create_directories(content());
    std::ofstream(content() / digest) << "manifest";
  }
  std::vector<std::string> forgotten(ImageRecords& records, std::chrono::steady_clock::duration grace) const {
    std::vector<std::string> ids;
    records.forget_unused(content(), grace, [&](const std::string& id) { ids.push_back(id); });
    return ids;
  }
  const TempDir directory_;
};

TEST_F(ImageRecordsTest, outlive_the_program) {
  std::string id, digest;
  {
    ImageRecords records(images());
    const auto kept = records.keep(image_of("acme/web:3", true));
    id = kept->image.id;
    digest = kept->manifest;
  }
  const ImageRecords records(images());
  ASSERT_TRUE(records.find(id));
  EXPECT_EQ(records.find(id)->image.environment, "acme/web:3");
  EXPECT_EQ(records.with_blob(digest)->image.id, id);
  EXPECT_EQ(records.find(std::string(64, '0')), nullptr);
  EXPECT_EQ(records.with_blob(id), nullptr);
}

TEST_F(ImageRecordsTest, are_roots_alone) {
  ImageRecords records(images());
  const auto kept = records.keep(image_of("acme/web:3"));
  struct stat info = {};
  ASSERT_EQ(::stat(images().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0700U);
  for (const std::string& name : {kept->image.id + ".json", std::string("key")}) {
    ASSERT_EQ(::stat((images() / name).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U) << name;
  }
}

TEST_F(ImageRecordsTest, a_damaged_file_is_passed_over) {
  std::string id;
  {
    ImageRecords records(images());
    id = records.keep(image_of("acme/web:3"))->image.id;
    records.keep(image_of("acme/web:4"));
  }
  fs::copy_file(images() / (id + ".json"), images() / (std::string(64, 'a') + ".json"));
  std::ofstream(images() / (std::string(64, 'b') + ".json")) << "{";
  fs::create_symlink("/etc/passwd", images() / (std::string(64, 'c') + ".json"));
  const ImageRecords records(images());
  EXPECT_TRUE(records.find(id));
  EXPECT_EQ(records.find(std::string(64, 'a')), nullptr) << "a record under another one's name";
}

TEST_F(ImageRecordsTest, are_forgotten_when_containerd_has_removed_the_image) {
  ImageRecords records(images());
  const auto used = records.keep(image_of("acme/web:3"));
  const auto unused = records.keep(image_of("acme/web:4"));
  EXPECT_THAT(forgotten(records, seconds(0)), IsEmpty()) << "nobody knows without the directory";
  containerd_has(used->manifest);
  EXPECT_THAT(forgotten(records, hours(1)), IsEmpty()) << "containerd may be about to fetch it";
  EXPECT_THAT(forgotten(records, seconds(0)), ElementsAre(unused->image.id));
  EXPECT_EQ(records.find(unused->image.id), nullptr);
  EXPECT_EQ(records.with_blob(unused->manifest), nullptr);
  EXPECT_FALSE(fs::exists(images() / (unused->image.id + ".json")));
  EXPECT_TRUE(records.find(used->image.id));
}

}  // namespace
}  // namespace flox::node
