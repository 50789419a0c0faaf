#include "catalog/choice.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace flox::catalog {
namespace {

PackageBuild variant_build(std::string version, std::string variant = "",
                           std::string system = "x86_64-linux") {
  PackageBuild made;
  made.name = "web";
  made.version = std::move(version);
  made.system = std::move(system);
  made.variant = std::move(variant);
  return made;
}

std::string chosen(std::vector<PackageBuild> builds, const std::string& constraint, Wish wish = {}) {
  std::ranges::sort(builds, goes_before);
  if (wish.system.empty()) wish.system = "x86_64-linux";
  const PackageBuild* found = choose(builds, wish, VersionConstraint(constraint));
  return found == nullptr ? "none" : found->version + "/" + found->variant;
}

TEST(Choice, is_the_newest_version_that_satisfies_and_the_best_variant_that_the_cpu_runs) {
  const std::vector<PackageBuild> builds = {
      variant_build("1.9"), variant_build("1.10"), variant_build("1.10", "x86-64-v3"),
      variant_build("1.10", "x86-64-v4"), variant_build("2.0", "", "aarch64-linux")};
  EXPECT_EQ(chosen(builds, "", {.system = {}, .cpu_level = "x86-64-v3"}), "1.10/x86-64-v3");
  EXPECT_EQ(chosen(builds, ""), "1.10/");
  EXPECT_EQ(chosen(builds, "1.9"), "1.9/");
  EXPECT_EQ(chosen(builds, "^2"), "none");
}

TEST(Choice, takes_what_leads_up_to_a_release_only_if_nothing_else_will_do) {
  EXPECT_EQ(chosen({variant_build("1.0"), variant_build("1.1-rc1")}, ""), "1.0/");
  EXPECT_EQ(chosen({variant_build("1.0"), variant_build("1.1-rc1")}, "", {.allow_pre_releases = true}),
            "1.1-rc1/");
  EXPECT_EQ(chosen({variant_build("1.1-rc1")}, ""), "1.1-rc1/");
}

TEST(Choice, takes_a_yanked_version_only_for_who_names_it) {
  PackageBuild yanked = variant_build("1.1");
  yanked.yanked = "it leaks";
  EXPECT_EQ(chosen({variant_build("1.0"), yanked}, ""), "1.0/");
  EXPECT_EQ(chosen({variant_build("1.0"), yanked}, "1.1"), "1.1/");
  EXPECT_EQ(chosen({variant_build("1.0"), yanked}, "=1.1"), "1.1/");
  for (const char* constraint : {">=1.1", "^1.1", "1.1, <2", "1.1.*"})
    EXPECT_EQ(chosen({yanked}, constraint), "none");
}

TEST(Choice, does_not_depend_on_the_order_in_which_equal_versions_come) {
  EXPECT_EQ(chosen({variant_build("1.0"), variant_build("1-0")}, ""),
            chosen({variant_build("1-0"), variant_build("1.0")}, ""));
}

}  // namespace
}  // namespace flox::catalog
