#include "trust/sbom/purl.h"

#include <gtest/gtest.h>

namespace flox::trust {
namespace {

TEST(Purl, OfADebianPackageHasItsVersionEncodedAndItsArchitecture) {
  EXPECT_EQ(debian_purl("libstdc++6", "12.2.0-14+deb12u1", "amd64"),
            "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14%2Bdeb12u1?arch=amd64");
  EXPECT_EQ(debian_purl("zlib1g", "1:1.2.13.dfsg-1~x", "all"),
            "pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1~x?arch=all");
}

TEST(Purl, OfDistributionsOfPythonAndPackagesOfNpm) {
  EXPECT_EQ(pypi_purl("zope-interface", "6.4+local"), "pkg:pypi/zope-interface@6.4%2Blocal");
  EXPECT_EQ(npm_purl("express", "4.19.2"), "pkg:npm/express@4.19.2");
  EXPECT_EQ(npm_purl("@types/node", "20.1.0"), "pkg:npm/%40types/node@20.1.0");
}

TEST(Purl, OfAStorePathNamesThePath) {
  EXPECT_EQ(store_path_purl("hello", "1.0", "0a1b-hello-1.0"),
            "pkg:generic/hello@1.0?nix-store-path=0a1b-hello-1.0");
  EXPECT_EQ(store_path_purl("environment", "", "0a1b-environment"),
            "pkg:generic/environment?nix-store-path=0a1b-environment");
}

TEST(Purl, IsPrintableAndBounded) {
  EXPECT_TRUE(is_purl("pkg:deb/debian/x@1"));
  for (const std::string& bad :
       {std::string("pkg:"), std::string("http://x"), std::string("pkg:a b"), std::string("pkg:a\x1b"),
        std::string("pkg:ä"), "pkg:" + std::string(1021, 'a')})
    EXPECT_FALSE(is_purl(bad));
}

}  // namespace
}  // namespace flox::trust
