#include "node/floxd/grants.h"

#include <gtest/gtest.h>

namespace flox::node {
namespace {

const std::string a = "/nix/store/00000000000000000000000000000000-a";
const std::string b = "/nix/store/11111111111111111111111111111111-b";

env::LockedPackage package(const std::string& path, const std::string& name) {
  nlohmann::json lock = {{"lockfile-version", 1},
                         {"packages",
                          {{{"install_id", name},
                            {"attr_path", name},
                            {"version", "1"},
                            {"system", "x86_64-linux"},
                            {"outputs", {{"out", path}}}}}}};
  return env::Lockfile::parse(lock.dump()).packages.at(0);
}

env::Lockfile lock(std::vector<env::LockedPackage> packages, nlohmann::json manifest = {}) {
  manifest["schema-version"] = "1.10.0";
  return {.manifest = std::move(manifest), .packages = std::move(packages)};
}

TEST(Grants, ALockIsGrantedAsAWholeAndToItsPod) {
  Grants grants;
  const auto granted = lock({package(a, "a")}, {{"hook", {{"on-activate", "x"}}}});
  grants.add("pod-1", granted);
  EXPECT_TRUE(grants.find("pod-1", granted, "x86_64-linux"));
  EXPECT_FALSE(grants.find("pod-2", granted, "x86_64-linux"));
  EXPECT_FALSE(grants.find("pod-1", lock({package(a, "a")}), "x86_64-linux"));
  grants.forget("pod-1");
  EXPECT_FALSE(grants.find("pod-1", granted, "x86_64-linux"));
}

TEST(Grants, APackageIsGrantedByItsStorePathsWhateverItIsCalled) {
  Grants grants;
  grants.add_package("pod-1", "a", package(a, "a"));
  const auto found = grants.find("pod-1", lock({package(a, "other")}), "x86_64-linux");
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->manifest.at("install").contains("a")) << "the node's own lock, not the pod's";
  EXPECT_FALSE(grants.find("pod-1", lock({package(b, "a")}), "x86_64-linux"));
  EXPECT_FALSE(grants.find("pod-1", lock({package(a, "a"), package(b, "b")}), "x86_64-linux"));
  EXPECT_FALSE(grants.find("pod-1", lock({}), "x86_64-linux"));
}

TEST(Grants, NothingElseGoesWithAGrantedPackage) {
  Grants grants;
  grants.add_package("pod-1", "a", package(a, "a"));
  for (const char* table : {"vars", "hook", "profile", "services", "include"})
    EXPECT_FALSE(grants.find("pod-1", lock({package(a, "a")}, {{table, {{"x", "y"}}}}), "x86_64-linux"));
  EXPECT_TRUE(
      grants.find("pod-1", lock({package(a, "a")}, {{"vars", nlohmann::json::object()}}), "x86_64-linux"));
}

}  // namespace
}  // namespace flox::node
