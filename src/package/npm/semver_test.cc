#include "package/npm/semver.h"

#include <gtest/gtest.h>

namespace flox::package {
namespace {

bool admits(const char* range, const char* version) {
  const auto found = NpmRange::find(range);
  const auto number = NpmVersion::find(version);
  EXPECT_TRUE(found) << range;
  EXPECT_TRUE(number) << version;
  return found && number && found->admits(*number);
}

TEST(NpmVersion, SortsAsSemanticVersioningSays) {
  const char* const ordered[] = {"1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta",
                                 "1.0.0-beta",  "1.0.0-beta.2",  "1.0.0-beta.11",
                                 "1.0.0-rc.1",  "1.0.0",         "1.0.1",
                                 "1.10.0",      "2.0.0"};
  for (size_t i = 0; i + 1 < std::size(ordered); ++i)
    EXPECT_LT(*NpmVersion::find(ordered[i]), *NpmVersion::find(ordered[i + 1])) << ordered[i];
  EXPECT_EQ(*NpmVersion::find("v1.2.3+build.5"), *NpmVersion::find("=1.2.3"));
  EXPECT_EQ(NpmVersion::find("1.2.3-x.0+b")->to_string(), "1.2.3-x.0");
  for (const char* text : {"", "1", "1.2", "1.2.x", "1.2.3.4", "1.2.3-", "1.2.3-a..b", "a.b.c", "1.2.3-ä",
                           "99999999999999999.0.0", "latest"})
    EXPECT_FALSE(NpmVersion::find(text)) << text;
}

// The examples of node-semver's own page.
TEST(NpmRange, AdmitsWhatNodeSemverSays) {
  EXPECT_TRUE(admits("^1.2.3", "1.9.0"));
  EXPECT_FALSE(admits("^1.2.3", "2.0.0"));
  EXPECT_FALSE(admits("^0.2.3", "0.3.0"));
  EXPECT_FALSE(admits("^0.0.3", "0.0.4"));
  EXPECT_TRUE(admits("^0.x", "0.9.9"));
  EXPECT_TRUE(admits("^0.0", "0.0.9"));
  EXPECT_FALSE(admits("^0.0", "0.1.0"));
  EXPECT_TRUE(admits("~1.2.3", "1.2.9"));
  EXPECT_FALSE(admits("~1.2", "1.3.0"));
  EXPECT_TRUE(admits("~1", "1.9.0"));
  EXPECT_TRUE(admits("1.x", "1.2.3"));
  EXPECT_TRUE(admits("", "0.0.1"));
  EXPECT_TRUE(admits("*", "9.9.9"));
  EXPECT_TRUE(admits("1.2.3 - 2.3", "2.3.9"));
  EXPECT_FALSE(admits("1.2.3 - 2.3", "2.4.0"));
  EXPECT_TRUE(admits("1.2 - 2.3.4", "1.2.0"));
  EXPECT_TRUE(admits(">=1.2.7 <1.3.0 || 2", "2.5.0"));
  EXPECT_FALSE(admits(">= 1.2.7 < 1.3.0", "1.3.0"));
  EXPECT_TRUE(admits(">1.2", "1.3.0"));
  EXPECT_FALSE(admits(">1.2", "1.2.9"));
  EXPECT_TRUE(admits("<=1.2", "1.2.9"));
  EXPECT_FALSE(admits("<1.2", "1.2.0"));
  EXPECT_TRUE(admits("=v1.2.3", "1.2.3"));
  EXPECT_FALSE(admits(">*", "1.0.0"));
}

TEST(NpmRange, APreReleaseIsOnlyForThoseWhoNameOneOfItsVersion) {
  EXPECT_TRUE(admits(">1.2.3-alpha.3", "1.2.3-alpha.7"));
  EXPECT_FALSE(admits(">1.2.3-alpha.3", "3.4.5-alpha.9"));
  EXPECT_TRUE(admits("^1.2.3-beta.2", "1.2.3-beta.4"));
  EXPECT_FALSE(admits("^1.2.3-beta.2", "1.2.4-beta.2"));
  EXPECT_FALSE(admits("^1.2.3", "2.0.0-rc.1"));
  EXPECT_FALSE(admits("<2", "2.0.0-0"));
  EXPECT_FALSE(admits("*", "1.0.0-rc.1"));
}

TEST(NpmRange, IsNotATagAUrlOrAFile) {
  for (const char* text : {"latest", "git+https://x/y", "file:../x", "user/repo", "https://x/y.tgz", "^",
                           "1.2.3.4", ">=a", "1 - ", "workspace:*", "1, 2"})
    EXPECT_FALSE(NpmRange::find(text)) << text;
  std::string many = "1";
  for (int i = 0; i < 300; ++i) many += "||1";
  EXPECT_FALSE(NpmRange::find(many));
}

}  // namespace
}  // namespace flox::package
