#include "package/build/allowed_paths.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/os/file.h"

namespace flox::package {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string refusal(const std::vector<std::string>& patterns, const std::string& home = "/home/ada") {
  try {
    AllowedPaths(patterns, home).present();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(AllowedPathsTest, a_path_stands_for_itself_and_all_below) {
  const AllowedPaths allowed({"/etc/none/hosts", "~/.npm/"}, "/home/ada");
  EXPECT_TRUE(allowed.contain("/etc/none/hosts"));
  EXPECT_TRUE(allowed.contain("/home/ada/.npm/cache/x"));
  EXPECT_FALSE(allowed.contain("/etc/none/hosts.allow"));
  EXPECT_FALSE(allowed.contain("/home/ada/.npmrc"));
}

TEST(AllowedPathsTest, stars_cross_directories_as_in_flox) {
  const AllowedPaths allowed({"~/.cargo/**", "/opt/sdk/*/include/*.h", "/usr/none/lib?"}, "/home/ada");
  EXPECT_TRUE(allowed.contain("/home/ada/.cargo/registry/a/b"));
  EXPECT_TRUE(allowed.contain("/opt/sdk/1/2/include/deep/a.h"));
  EXPECT_TRUE(allowed.contain("/usr/none/lib6/below/it"));
  EXPECT_FALSE(allowed.contain("/opt/sdk/1/include/a.c"));
  EXPECT_FALSE(allowed.contain("/usr/none/lib64/x"));
  EXPECT_FALSE(allowed.contain("/home/bob/.cargo/registry"));
}

TEST(AllowedPathsTest, a_home_directory_has_no_wildcards) {
  const AllowedPaths allowed({"~/x*"}, "/home/[ab]*");
  EXPECT_TRUE(allowed.contain("/home/[ab]*/xyz"));
  EXPECT_FALSE(allowed.contain("/home/a/xyz"));
}

TEST(AllowedPathsTest, what_is_the_whole_machine_or_nowhere_is_refused) {
  for (const char* all : {"/", "/*", "/**", "/usr/../**", "//"})
    EXPECT_THAT(refusal({all}), HasSubstr("would be the whole machine")) << all;
  for (const char* none : {"", "etc/hosts", "*", "**/x", "~bob/x", "./x"})
    EXPECT_THAT(refusal({none}), HasSubstr("neither an absolute path")) << none;
  EXPECT_THAT(refusal({"~/x"}, ""), HasSubstr("HOME is not set"));
  EXPECT_THAT(refusal(std::vector<std::string>(257, "/x")), HasSubstr("the most are 256"));
  EXPECT_THAT(refusal({"etc/\x1b[2J\nhosts"}), ::testing::Not(HasSubstr("\x1b")));
}

TEST(AllowedPathsTest, finds_what_is_there_and_nothing_twice) {
  const TempDir work;
  const std::filesystem::path root = std::filesystem::canonical(work.path());
  for (const char* place : {"sdk/a/include", "sdk/b/include", "real"})
    std::filesystem::create_directories(root / place);
  for (const char* place : {"sdk/a/include/x.h", "sdk/a/include/x.c", "sdk/b/include/y.h", "real/file"})
    write_file(root / place, "");
  std::filesystem::create_directory_symlink(root / "real", root / "link");
  const std::string at = root.string();
  EXPECT_THAT(AllowedPaths({at + "/sdk/*.h", at + "/none"}, "").present(),
              ElementsAre(root / "sdk/a/include/x.h", root / "sdk/b/include/y.h"));
  EXPECT_THAT(AllowedPaths({at + "/sdk/a/**", at + "/sdk/a/include/x.c"}, "").present(),
              ElementsAre(root / "sdk/a"));
  EXPECT_THAT(AllowedPaths({at + "/link/**"}, "").present(), ElementsAre(root / "link", root / "real"));
  EXPECT_TRUE(AllowedPaths({at + "/link/*"}, "").contain(at + "/real/file"));
  for (int i = 0; i <= 1000; ++i) write_file(root / "real" / fmt::format("n{}", i), "");
  EXPECT_THAT(refusal({at + "/real/n*"}), HasSubstr("is more than 1000 files"));
}

TEST(AllowedPathsTest, a_link_to_the_whole_machine_is_refused_as_that_is) {
  const TempDir work;
  std::filesystem::create_directory_symlink("/", work.path() / "whole");
  const std::string whole = (work.path() / "whole").string();
  EXPECT_THAT(refusal({whole}), HasSubstr("would be the whole machine"));
  EXPECT_THAT(refusal({whole + "/**"}), HasSubstr("would be the whole machine"));
}

}  // namespace
}  // namespace flox::package
