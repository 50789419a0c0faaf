#include "package/debian/control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::package {
namespace {

using ::testing::ElementsAre;

TEST(Control, ReadsStanzasWithContinuationLines) {
  auto stanzas =
      parse_control("Package: a\nDescription: short\n long\n .\n\nPackage: b\nDepends:\n x,\n y\n");
  ASSERT_EQ(stanzas.size(), 2u);
  EXPECT_EQ(stanzas[0].at("Description"), "short\nlong\n.");
  EXPECT_EQ(stanzas[1].at("Depends"), "\nx,\ny");
}

TEST(Control, RefusesALineThatIsNoField) {
  EXPECT_THROW(parse_control("Package: a\nnonsense\n"), Error);
  EXPECT_THROW(parse_control(" continues nothing\n"), Error);
}

TEST(Control, ReadsRelationsWithoutVersionsArchitecturesAndQualifiers) {
  EXPECT_THAT(parse_relations(
                  "libc6 (>= 2.35), debconf (>= 0.5) | debconf-2.0, python3:any, x [amd64] <!nocheck>,\n y"),
              ElementsAre(ElementsAre("libc6"), ElementsAre("debconf", "debconf-2.0"), ElementsAre("python3"),
                          ElementsAre("x"), ElementsAre("y")));
  EXPECT_TRUE(parse_relations("").empty());
}

TEST(Control, TakesTheUpstreamPartOfAVersion) {
  EXPECT_EQ(upstream_version("1:3.11.2-1+b1"), "3.11.2");
  EXPECT_EQ(upstream_version("2.36-9+deb12u14"), "2.36");
  EXPECT_EQ(upstream_version("1.2-rc1-4"), "1.2-rc1");
  EXPECT_EQ(upstream_version("20230311"), "20230311");
  EXPECT_EQ(upstream_version("2.1~beta3-1"), "2.1~beta3");
}

TEST(Control, KeepsTheDebianRevisionOfAStorePathsVersion) {
  EXPECT_EQ(store_version("1:3.11.2-1+b1"), "3.11.2-1+b1");
  EXPECT_NE(store_version("3.0.11-1~deb12u2"), store_version("3.0.11-1~deb12u3"));
  EXPECT_EQ(store_version("2.1~beta3-1"), "2.1_beta3-1");  // '~' may not be in a store path
}

TEST(Control, ReadsTheVersionsThatARelationFixes) {
  const auto exact =
      parse_exact_versions("libnode108 (= 18.20.4+dfsg-1~deb12u1), libc6 (>= 2.36), a (=1) | b, c:any (= 2)");
  EXPECT_EQ(exact,
            (std::map<std::string, std::string>{{"c", "2"}, {"libnode108", "18.20.4+dfsg-1~deb12u1"}}));
  EXPECT_TRUE(parse_exact_versions("a (= , b (").empty());
}

}  // namespace
}  // namespace flox::package
