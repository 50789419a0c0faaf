// What docs/formats/ says of manifests and locks holds for this code.
#include <gtest/gtest.h>

#include "env/lockfile.h"
#include "env/manifest.h"
#include "env/origin.h"
#include "testing/format_page.h"

namespace flox::env {
namespace {

TEST(ManifestPage, ShowsAManifestThatIsRead) {
  const Manifest manifest = Manifest::parse(format_example("manifest.md", "manifest"), "manifest.toml");
  EXPECT_EQ(manifest.install.at("hello").pkg_path, "hello");
  EXPECT_EQ(manifest.install.at("web").version, "^2");
  EXPECT_EQ(manifest.install.at("web").priority, 4);
  EXPECT_EQ(manifest.install.at("hello").priority, 5);
  EXPECT_EQ(manifest.vars.at("PORT"), "8080");
  EXPECT_EQ(manifest.hook_on_activate, "export STARTED=1");
  EXPECT_EQ(manifest.systems, (std::vector<std::string>{"x86_64-linux", "aarch64-linux"}));
}

TEST(LockfilePage, ShowsALockThatIsRead) {
  const Lockfile lock = Lockfile::parse(format_example("lockfile.md", "lock"));
  ASSERT_EQ(lock.for_system("x86_64-linux").size(), 1);
  const LockedPackage& package = lock.packages.at(0);
  EXPECT_EQ(package.attr_path, "hello");
  EXPECT_EQ(package.version, "2.12");
  EXPECT_EQ(package.store_paths().begin()->to_string(),
            "/nix/store/i9pmrzmpshapij2kin22pff6fc2adavx-hello.txt");
}

TEST(OriginPage, ShowsAnOriginAsItIsWritten) {
  const std::string example = format_example("origin.md", "origin");
  const Origin origin = Origin::parse(example);
  EXPECT_EQ(origin.reference(), "acme/web");
  EXPECT_EQ(origin.here.number, 3);
  EXPECT_EQ(origin.latest.number, 5);
  EXPECT_EQ(Origin::parse(origin.to_string()), origin);
}

}  // namespace
}  // namespace flox::env
