#include "catalog/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::catalog {
namespace {

TEST(Versions, are_ordered_as_people_order_them) {
  const char* ascending[] = {"0.0.9",
                             "0.1.0",
                             "1.0~git5",
                             "1.0.dev1",
                             "1.0-rc1",
                             "1.0-rc2",
                             "1.0",
                             "1.0.1",
                             "1.1.1",
                             "1.1.1a",
                             "1.1.1w",
                             "1.1.2",
                             "1.2b1",
                             "1.2",
                             "1.2p1",
                             "1.9",
                             "1.10",
                             "1.10.1",
                             "2",
                             "2.36-8",
                             "2.36-9",
                             "2.36-9+deb12u7",
                             "2.36-9+deb12u10"};
  for (size_t i = 0; i < std::size(ascending); ++i)
    for (size_t j = 0; j < std::size(ascending); ++j)
      EXPECT_EQ(compare_versions(ascending[i], ascending[j]), i < j   ? -1
                                                              : i > j ? 1
                                                                      : 0)
          << ascending[i] << " " << ascending[j];
}

TEST(Versions, that_lead_up_to_a_release_are_known_as_such) {
  for (const char* version : {"1.0-rc1", "1.0~git5", "2.0b3", "1.0.dev1", "1.0RC2"})
    EXPECT_TRUE(is_pre_release(version)) << version;
  for (const char* version : {"1.0", "1.1.1w", "9.2p1", "2.36-9+deb12u7", "1.0.post1", "2b"})
    EXPECT_FALSE(is_pre_release(version)) << version;
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
  EXPECT_FALSE(satisfies("2.1", ">= 1.2 <2"));
  EXPECT_TRUE(satisfies("1.2.3", "1.2.*"));
  EXPECT_TRUE(satisfies("1.2.3", "1.x.x"));
  EXPECT_FALSE(satisfies("1.3.3", "1.2.x"));
  EXPECT_TRUE(satisfies("1.2.3", "*"));
}

TEST(Constraints, that_cannot_be_read_are_refused_rather_than_never_met) {
  for (const char* constraint : {">=", "^", "1 || 2", "1.2 - 2.0", "=>1", "1/2", ".*", ">=.x.*"}) {
    try {
      satisfies("1.2.3", constraint);
      FAIL() << constraint;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid_input);
      EXPECT_THAT(error.what(), testing::HasSubstr(constraint));
    }
  }
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
  using Member = std::pair<const char*, nlohmann::json>;
  for (const auto& [key, value] : {Member{"name", "../x"},
                                   {"version", ""},
                                   {"version", 1},
                                   {"system", "vax"},
                                   {"variant", 4},
                                   {"description", nlohmann::json::array()},
                                   {"closure_size", -1},
                                   {"outputs", 3}}) {
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
