#include "package/nix/import_lock.h"

#include <gmock/gmock.h>

#include "testing/error_of.h"

namespace flox::package {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* path = "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-";

std::string catalog_entry(const std::string& name, const std::string& system, const std::string& more = "") {
  return R"({"install_id":")" + name + R"(","attr_path":")" + name + R"(","version":"1.2","system":")" +
         system + R"(","license":"MIT","description":"d","outputs":{"out":")" + path + name +
         R"(-1.2","dev":")" + path + name + R"(-1.2-dev"},"outputs_to_install":["out"])" + more + "}";
}
env::Lockfile lock_of(const std::string& packages) {
  return env::Lockfile::parse(R"({"lockfile-version":1,"manifest":{},"packages":[)" + packages + "]}");
}

TEST(ImportLock, APackageOfACatalogHasItsNameAndTheInstalledOutputs) {
  const LockImport import =
      builds_of_lock(lock_of(catalog_entry("jq", "x86_64-linux") + "," + catalog_entry("jq", "x86_64-linux") +
                             "," + catalog_entry("jq", "aarch64-darwin")),
                     {"x86_64-linux"}, false);
  ASSERT_EQ(import.builds.size(), 1u);
  const catalog::PackageBuild& build = import.builds[0];
  EXPECT_EQ(build.name + " " + build.version + " " + build.license, "jq 1.2 MIT");
  ASSERT_EQ(build.outputs.size(), 1u);
  EXPECT_TRUE(build.outputs.contains("out"));
  EXPECT_THAT(import.left_out, ElementsAre(HasSubstr("1 output of jq"), HasSubstr("1 output of jq"),
                                           HasSubstr("1 package for aarch64-darwin")));
}

TEST(ImportLock, AllOutputsComeIfTheyAreAskedFor) {
  const LockImport import =
      builds_of_lock(lock_of(catalog_entry("jq", "x86_64-linux")), {"x86_64-linux"}, true);
  EXPECT_EQ(import.builds.at(0).outputs.size(), 2u);
  EXPECT_TRUE(import.left_out.empty());
}

TEST(ImportLock, AStorePathIsNamedAfterItself) {
  const LockImport import =
      builds_of_lock(lock_of(std::string(R"({"install_id":"x","system":"x86_64-linux","store_path":")") +
                             path + "web-3.1\"}"),
                     {"x86_64-linux"}, false);
  EXPECT_EQ(import.builds.at(0).name + " " + import.builds.at(0).version, "web 3.1");
}

TEST(ImportLock, ANameThatNoCatalogCanHaveIsRefusedWithItsPlace) {
  std::string entry = catalog_entry("jq", "x86_64-linux");
  const std::string name = R"("attr_path":"jq")";
  entry.replace(entry.find(name), name.size(), R"("attr_path":"../etc")");
  EXPECT_THAT(error_of([&] { builds_of_lock(lock_of(entry), {"x86_64-linux"}, false); }),
              HasSubstr("package 'jq'"));
}

}  // namespace
}  // namespace flox::package
