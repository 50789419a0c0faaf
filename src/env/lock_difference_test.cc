#include "env/lock_difference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flox::env {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string package(const std::string& id, const std::string& version, const std::string& system, char digest,
                    int priority = 5) {
  return nlohmann::json{
      {"install_id", id},     {"attr_path", id},
      {"version", version},   {"system", system},
      {"priority", priority}, {"outputs", {{"out", "/nix/store/" + std::string(32, digest) + "-" + id}}}}
      .dump();
}

Lockfile lock_of(const std::string& manifest, const std::string& packages) {
  return Lockfile::parse(R"({"lockfile-version":1,"manifest":)" + manifest + R"(,"packages":[)" + packages +
                         "]}");
}

TEST(LockDifference, names_packages_that_came_went_and_changed) {
  const Lockfile before = lock_of("{}", package("git", "2.40", "x86_64-linux", '1') + "," +
                                            package("curl", "8.0", "x86_64-linux", '2') + "," +
                                            package("jq", "1.7", "x86_64-linux", '3') + "," +
                                            package("sed", "4", "x86_64-linux", '4'));
  const Lockfile after = lock_of("{}", package("curl", "8.1", "x86_64-linux", '5') + "," +
                                           package("jq", "1.7", "x86_64-linux", '6') + "," +
                                           package("vim", "9", "x86_64-linux", '7') + "," +
                                           package("sed", "4", "x86_64-linux", '4', 3));
  EXPECT_THAT(lock_differences(before, after),
              ElementsAre("~ curl 8.0 -> 8.1", "- git 2.40", "~ jq 1.7 (another build)",
                          "~ sed priority 5 -> 3", "+ vim 9"));
  EXPECT_THAT(lock_differences(before, before), IsEmpty());
}

TEST(LockDifference, names_the_systems_of_a_change_that_not_all_have) {
  const Lockfile before = lock_of(
      "{}", package("git", "1", "x86_64-linux", '1') + "," + package("git", "1", "aarch64-linux", '2'));
  const Lockfile after = lock_of(
      "{}", package("git", "2", "x86_64-linux", '3') + "," + package("git", "1", "aarch64-linux", '2'));
  EXPECT_THAT(lock_differences(before, after), ElementsAre("~ git 1 -> 2 on x86_64-linux"));
}

TEST(LockDifference, names_entries_of_tables_and_whole_tables) {
  const Lockfile before = lock_of(
      R"({"install":{"git":{"pkg-path":"git"}},"vars":{"A":"1","B":"2"},"hook":{"on-activate":"x"},"profile":{}})",
      "");
  const Lockfile after = lock_of(
      R"({"install":{"git":{"pkg-path":"git","priority":4}},"vars":{"A":"2","C":"2"},"hook":{}})", "");
  EXPECT_THAT(lock_differences(before, after),
              ElementsAre("~ [hook]", "~ [install] git", "~ [vars] A", "- [vars] B", "+ [vars] C"));
}

}  // namespace
}  // namespace flox::env
