#include "package/nix/import_nix.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/os/file.h"
#include "package/nix/flake.h"

namespace flox::package {
namespace {

TEST(ImportNix, AStorePathsNameIsSplitAsNixSplitsIt) {
  const auto split = [](std::string_view name) {
    const auto parts = split_store_name(name);
    return parts.name + " " + parts.version;
  };
  EXPECT_EQ(split("openssl-3.0.7-bin"), "openssl 3.0.7-bin");
  EXPECT_EQ(split("python3.11-requests-2.31.0"), "python3.11-requests 2.31.0");
  EXPECT_EQ(split("hello"), "hello ");
  EXPECT_EQ(split("hello-unstable-2024-01-01"), "hello-unstable 2024-01-01");
  EXPECT_EQ(split("hello-"), "hello- ");
  EXPECT_EQ(split("-1"), "-1 ");
}

TEST(ImportNix, AResultLinkMeansWhatItLeadsTo) {
  const std::string path = "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-web-1.0";
  const TempDir work;
  fs::create_symlink(path + "/bin", work.path() / "far");
  fs::create_symlink("far", work.path() / "result");
  fs::create_symlink("circle", work.path() / "circle");
  EXPECT_EQ(store_path_meant(path + "/bin/web").to_string(), path);
  EXPECT_EQ(store_path_meant((work.path() / "result").string()).to_string(), path);
  for (const std::string& text : {(work.path() / "circle").string(), work.path().string(), std::string("web"),
                                  std::string("/nix/store/.."), std::string()})
    EXPECT_THROW(store_path_meant(text), Error) << text;
}

TEST(ImportNix, AFlakesOutputHasANumberSign) {
  EXPECT_TRUE(is_flake_reference("nixpkgs#hello"));
  EXPECT_FALSE(is_flake_reference("./result"));
  EXPECT_FALSE(is_flake_reference("--store#x"));
}

}  // namespace
}  // namespace flox::package
