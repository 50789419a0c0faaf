#include "imageless/image_marker.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "base/os/file.h"

namespace flox::imageless {
namespace {

const std::string id(64, 'a');

TEST(ImageMarkerTest, says_which_image_it_is) {
  const auto marker = parse_image_marker(id + " acme/web:3\n");
  ASSERT_TRUE(marker);
  EXPECT_EQ(marker->id, id);
  EXPECT_EQ(marker->environment, "acme/web:3");
}

TEST(ImageMarkerTest, what_is_no_marker_is_none) {
  for (const std::string& text :
       {std::string(), id, id + " acme/web:3", id + "  \n", id + " a b\n", id + "\tacme/web\n", id + " \n",
        std::string(64, 'A') + " acme/web\n", id.substr(1) + " acme/web\n", id + " a\nb\n",
        id + " " + std::string(513, 'x') + "\n"})
    EXPECT_FALSE(parse_image_marker(text)) << text;
}

TEST(ImageMarkerTest, is_a_file_in_the_root_and_no_link) {
  const TempDir root;
  EXPECT_FALSE(image_marker_in(root.path()));
  EXPECT_FALSE(image_marker_in(root.path() / "missing"));
  std::ofstream(root.path() / "elsewhere") << id << " acme/web:3\n";
  std::filesystem::create_symlink("elsewhere", root.path() / ".flox-image");
  EXPECT_FALSE(image_marker_in(root.path()));
  std::filesystem::remove(root.path() / ".flox-image");
  ASSERT_EQ(::mkfifo((root.path() / ".flox-image").c_str(), 0600), 0);
  EXPECT_FALSE(image_marker_in(root.path())) << "a pipe would never end";
  std::filesystem::remove(root.path() / ".flox-image");
  std::filesystem::rename(root.path() / "elsewhere", root.path() / ".flox-image");
  EXPECT_TRUE(image_marker_in(root.path()));
}

}  // namespace
}  // namespace flox::imageless
