#include "catalog/start_profile.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::catalog {
namespace {

nix::StorePath path(char digit, const std::string& name) {
  return nix::StorePath::from_base_name(std::string(32, digit) + "-" + name);
}

TEST(StartProfileTest, APublicationComesFirstAndAnotherVersionOfItsPathsGoes) {
  StartProfile now{.paths = {{path('0', "tool-1.1"), {{"a", 0, 10}}}}, .packages = {path('0', "tool-1.1")}};
  const StartProfile before{.paths = {{path('1', "tool-1.0"), {{"b", 0, 10}}},
                                      {path('0', "tool-1.1"), {{"a", 10, 20}}},
                                      {path('2', "lib-1.0"), {{"c", 0, 5}}}},
                            .packages = {path('1', "tool-1.0")}};
  now.merge_earlier(before);
  EXPECT_EQ(now.packages, std::vector{path('0', "tool-1.1")});
  ASSERT_EQ(now.paths.size(), 2u);
  EXPECT_EQ(now.paths[0].ranges, (std::vector<store::FileRange>{{"a", 0, 20}}));
  EXPECT_EQ(now.paths[1].path, path('2', "lib-1.0"));
  const std::string text = now.to_text();
  now.merge_earlier(StartProfile::parse(text));
  EXPECT_EQ(now.to_text(), text) << "the same once more changes nothing";
}

TEST(StartProfileTest, WhatIsPublishedFirstHasTheRoom) {
  StartProfile now{.paths = {{path('0', "tool"), {{"a", 0, StartProfile::most_read - 5}}}}, .packages = {}};
  now.merge_earlier({.paths = {{path('1', "lib"), {{"b", 0, 6}}}, {path('2', "doc"), {{"c", 0, 5}}}}});
  EXPECT_EQ(now.size().bytes, StartProfile::most_read);
  EXPECT_TRUE(now.paths.at(1).ranges.empty());
}

TEST(StartProfileTest, BelongsToOtherVersionsOfItsPackagesAndToNoOthers) {
  const StartProfile profile{.paths = {}, .packages = {path('0', "tool-1.0"), path('1', "lib-2.0")}};
  EXPECT_TRUE(profile.is_of_one_of({path('2', "other-1.0"), path('3', "tool-1.1")}));
  EXPECT_FALSE(profile.is_of_one_of({path('2', "other-1.0"), path('3', "tool-doc-1.1")}));
  EXPECT_FALSE(profile.is_of_one_of({}));
}

TEST(StartProfileTest, NamesABoundedNumberOfPaths) {
  StartProfile many;
  for (size_t i = 0; i <= StartProfile::most_paths; ++i)
    many.paths.push_back({path('0', "p" + std::to_string(i)), {}});
  EXPECT_THROW(StartProfile::parse(many.to_text()), Error);
  many.add({});
  EXPECT_LE(StartProfile::parse(many.to_text()).paths.size(), StartProfile::most_paths);
}

}  // namespace
}  // namespace flox::catalog
