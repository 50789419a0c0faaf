#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "catalog/model.h"

namespace flox::catalog {
namespace {

TEST(Versions, are_ordered_as_people_order_them) {
  const char* ascending[] = {"0.0.9", "0.1.0", "1.0-rc1", "1.0-rc2", "1.0", "1.0.1",
                             "1.2",   "1.9",   "1.10",    "1.10.1",  "2"};
  for (size_t i = 0; i < std::size(ascending); ++i)
    for (size_t j = 0; j < std::size(ascending); ++j)
      EXPECT_EQ(compare_versions(ascending[i], ascending[j]), i < j   ? -1
                                                              : i > j ? 1
                                                                      : 0)
          << ascending[i] << " " << ascending[j];
}

TEST(Constraints, admit_what_they_say) {
  EXPECT_TRUE(satisfies("1.2.3", ""));
  EXPECT_TRUE(satisfies("1.2.3", "1.2"));
  EXPECT_FALSE(satisfies("1.20.3", "1.2"));
  EXPECT_TRUE(satisfies("1.9", "^1.2"));
  EXPECT_FALSE(satisfies("2.0", "^1.2"));
  EXPECT_FALSE(satisfies("0.2.0", "^0.1.0"));
  EXPECT_TRUE(satisfies("1.2.9", "~1.2.3"));
  EXPECT_FALSE(satisfies("1.3.0", "~1.2.3"));
  EXPECT_TRUE(satisfies("1.5", ">=1.2, <2"));
  EXPECT_FALSE(satisfies("2.1", ">=1.2, <2"));
}

TEST(PackageBuild, goes_through_json_and_back) {
  PackageBuild build{
      .name = "web", .version = "1.0", .system = "x86_64-linux", .variant = "x86-64-v3", .description = "d"};
  build.outputs.emplace("out", nix::StorePath::parse("/nix/store/00000000000000000000000000000000-web-1.0"));
  EXPECT_EQ(PackageBuild::from_json(build.to_json()).to_json(), build.to_json());
}

TEST(PackageBuild, with_a_bad_member_is_refused_by_its_name) {
  nlohmann::json good = {{"name", "web"},
                         {"version", "1"},
                         {"system", "x86_64-linux"},
                         {"outputs", {{"out", "/nix/store/00000000000000000000000000000000-web"}}}};
  EXPECT_NO_THROW(PackageBuild::from_json(good));
  for (auto [key, value] : {std::pair{"name", "../x"}, {"version", ""}, {"system", "vax"}}) {
    nlohmann::json bad = good;
    bad[key] = value;
    try {
      PackageBuild::from_json(bad);
      FAIL() << key;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr(key));
    }
  }
}

}  // namespace
}  // namespace flox::catalog
