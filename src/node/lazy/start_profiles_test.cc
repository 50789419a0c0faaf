#include "node/lazy/start_profiles.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/os/file.h"

namespace flox::node {
namespace {

nix::StorePath path(char digit, const std::string& name) {
  return nix::StorePath::from_base_name(std::string(32, digit) + "-" + name);
}

StartProfile profile_of(const nix::StorePath& of, std::vector<store::FileRange> ranges) {
  return {.paths = {{of, std::move(ranges)}}};
}

TEST(StartProfilesTest, GivesWhatWasKeptOfTheSamePackagesAndOfOtherVersionsOfThem) {
  const TempDir dir;
  StartProfiles profiles(dir.path() / "made");
  const auto old_tool = path('0', "tool-1.0"), new_tool = path('1', "tool-1.1"),
             other = path('2', "other-1.0");
  EXPECT_FALSE(profiles.find({old_tool}));
  profiles.keep({old_tool}, profile_of(path('3', "lib-2.0"), {{"lib/x", 0, 10}}));
  ASSERT_TRUE(profiles.find({old_tool}));
  EXPECT_FALSE(profiles.find({other}));
  const auto found = profiles.find({new_tool});
  ASSERT_TRUE(found);
  const auto now = found->for_closure({other, path('4', "lib-2.1"), path('5', "lib-doc-2.1")});
  ASSERT_EQ(now.paths.size(), 1u);
  EXPECT_EQ(now.paths[0].path, path('4', "lib-2.1"));
  EXPECT_EQ(now.paths[0].ranges, (std::vector<store::FileRange>{{"lib/x", 0, 10}}));
}

TEST(StartProfilesTest, AddsWhatAnEarlierStartReadOfTheSamePaths) {
  const TempDir dir;
  StartProfiles profiles(dir.path());
  const auto tool = path('0', "tool-1.0"), gone = path('1', "gone-1.0");
  StartProfile first = profile_of(tool, {{"b", 5, 10}, {"a", 0, 10}});
  first.paths.push_back({gone, {{"x", 0, 1}}});
  profiles.keep({tool}, first);
  profiles.keep({tool}, profile_of(tool, {{"a", 10, 20}, {"a", 30, 40}}));
  const auto found = profiles.find({tool});
  ASSERT_TRUE(found && found->paths.size() == 1);
  EXPECT_EQ(found->paths[0].ranges,
            (std::vector<store::FileRange>{{"a", 0, 20}, {"a", 30, 40}, {"b", 5, 10}}));
}

TEST(StartProfilesTest, AStartOfTheNextVersionThatReadsNothingLeavesWhatIsKnown) {
  const TempDir dir;
  StartProfiles profiles(dir.path());
  const auto tool = path('0', "tool-1.0"), next = path('1', "tool-1.1");
  profiles.keep({tool}, profile_of(tool, {{"a", 0, 10}}));
  profiles.keep({next}, profile_of(next, {}));
  ASSERT_EQ(profiles.find({next})->paths.size(), 1u);
  EXPECT_EQ(profiles.find({next})->paths[0].path, next);
  EXPECT_EQ(profiles.find({next})->paths[0].ranges, (std::vector<store::FileRange>{{"a", 0, 10}}));
  profiles.keep({tool}, profile_of(tool, {{"b", 0, 10}}));
  EXPECT_EQ(profiles.find({next})->paths[0].ranges, (std::vector<store::FileRange>{{"b", 0, 10}}));
}

TEST(StartProfilesTest, KeepsNoMoreThanIsReadAgain) {
  const TempDir dir;
  StartProfiles profiles(dir.path());
  const auto tool = path('0', "tool-1.0");
  std::vector<store::FileRange> many;
  for (size_t i = 0; i < StartProfile::most_ranges + 10; ++i)
    many.push_back({std::string(500, '\x01') + std::to_string(i), 0, 10});
  many.push_back({"", 0, StartProfile::most_read + 1});
  profiles.keep({tool}, profile_of(tool, many));
  ASSERT_TRUE(profiles.find({tool}));
  EXPECT_TRUE(profiles.find({tool})->paths[0].ranges.empty()) << "the file that is too large sorts first";
  many.pop_back();
  profiles.keep({tool}, profile_of(tool, many));
  ASSERT_TRUE(profiles.find({tool}));
  EXPECT_GT(profiles.find({tool})->paths[0].ranges.size(), 1000u);
}

TEST(StartProfilesTest, OneOfAnotherNodeIsMergedWithTheOwnOne) {
  const TempDir here, there;
  StartProfiles own(here.path()), other(there.path() / "made");
  const auto tool = path('0', "tool-1.0"), next = path('1', "tool-1.1"), lib = path('2', "lib-1.0");
  own.keep({tool}, profile_of(tool, {{"a", 0, 10}}));
  StartProfile further = profile_of(next, {{"b", 0, 10}});
  further.paths.push_back({tool, {{"a", 10, 20}}});
  further.paths.push_back({lib, {{"c", 0, 5}}});
  other.keep({next}, further);
  ASSERT_EQ(own.keys(), other.keys()) << "versions of one environment";
  const std::string key = own.keys().at(0), text = other.read(key).to_text();
  EXPECT_EQ(own.import(StartProfile::parse(text)), key);
  EXPECT_EQ(own.import(StartProfile::parse(text)), key);
  EXPECT_EQ(own.count(), 1u);
  const StartProfile merged = own.read(key);
  EXPECT_EQ(merged.packages, std::vector{tool});
  ASSERT_EQ(merged.paths.size(), 3u);
  EXPECT_EQ(merged.paths[0].ranges, (std::vector<store::FileRange>{{"a", 0, 20}}));
  EXPECT_EQ(merged.paths[1].path, next);
  EXPECT_EQ(merged.paths[2].ranges, (std::vector<store::FileRange>{{"c", 0, 5}}));
  EXPECT_EQ(merged.size().ranges, 3u);
  EXPECT_EQ(merged.size().bytes, 35u);

  StartProfile too_much = profile_of(path('3', "more-1.0"), {{"d", 0, StartProfile::most_read}});
  too_much.packages = {tool};
  own.import(too_much);
  EXPECT_EQ(own.read(key).size().bytes, 35u) << "its own first";

  StartProfiles empty(there.path() / "empty");
  EXPECT_EQ(empty.import(StartProfile::parse(text)), key);
  EXPECT_EQ(empty.read(key).to_text(), text);
}

TEST(StartProfilesTest, ANameThatIsNoKeyAndAProfileOfNobodyAreRefused) {
  const TempDir dir;
  StartProfiles profiles(dir.path() / "made");
  EXPECT_TRUE(profiles.keys().empty());
  for (const char* key : {"", "../lock", "00000000000000000000000000000000.json", "e"})
    EXPECT_THROW(profiles.read(key), Error) << key;
  EXPECT_THROW(profiles.read(std::string(32, '0')), Error);
  EXPECT_THROW(profiles.import(profile_of(path('0', "tool-1.0"), {{"a", 0, 1}})), Error);
  EXPECT_FALSE(fs::exists(dir.path() / "made")) << "nothing was written";
}

TEST(StartProfilesTest, ThoseOfFewEnvironmentsAreKept) {
  const TempDir dir;
  StartProfiles profiles(dir.path(), 3);
  for (const char* name : {"a", "b", "c", "d", "e", "e"})
    profiles.keep({path('0', name)}, profile_of(path('0', name), {{"a", 0, 10}}));
  EXPECT_EQ(profiles.count(), 3u);
  EXPECT_TRUE(profiles.find({path('0', "e")}));
  EXPECT_FALSE(profiles.find({path('0', "a")}));
}

TEST(StartProfilesTest, WhatIsNoneIsNotUsed) {
  const TempDir dir;
  StartProfiles profiles(dir.path());
  const auto tool = path('0', "tool-1.0");
  profiles.keep({tool}, profile_of(tool, {{"a", 0, 10}}));
  for (const auto& entry : fs::directory_iterator(dir.path())) write_file(entry.path(), "{");
  EXPECT_FALSE(profiles.find({tool}));
  const std::string name = tool.base_name().data();
  for (const std::string& text :
       {std::string(R"({"version": 2, "paths": []})"), std::string(R"({"version": 1, "paths": {}})"),
        std::string(R"({"version": 1, "paths": [{"path": "../x", "ranges": []}]})"),
        std::string(R"({"version": 1, "paths": [], "packages": {}})"),
        std::string(R"({"version": 1, "paths": [], "packages": [1]})"),
        std::string(R"({"version": 1, "paths": [], "packages": ["../x"]})"),
        R"({"version": 1, "paths": [{"path": ")" + name + R"(", "ranges": [["a", 1, 1]]}]})",
        R"({"version": 1, "paths": [{"path": ")" + name + R"(", "ranges": [["a", -1, 1]]}]})",
        R"({"version": 1, "paths": [{"path": ")" + name + R"(", "ranges": [["a", 0, 9999999999]]}]})"})
    EXPECT_THROW(StartProfile::parse(text), Error) << text;
}

}  // namespace
}  // namespace flox::node
