#include "trust/sbom/license.h"

#include <gtest/gtest.h>

namespace flox::trust {
namespace {

TEST(LicenseExpression, IsOfKnownIdentifiersOperatorsAndParentheses) {
  for (const char* good :
       {"MIT", "Apache-2.0+", "GPL-2.0-or-later WITH Bison-exception-2.2", "MIT AND (Zlib OR ISC) AND curl",
        "((MIT))", "LGPL-2.1-or-later OR MIT AND BSD-3-Clause"})
    EXPECT_TRUE(is_license_expression(good)) << good;
  for (const char* bad :
       {"", " ", "mit", "GPL-2", "MIT AND", "AND MIT", "MIT Zlib", "(MIT", "MIT)", "()", "MIT WITH",
        "MIT WITH Zlib", "MIT, Zlib", "MIT+ +", "LicenseRef-x", "MIT\nAND Zlib", "+", "public-domain"})
    EXPECT_FALSE(is_license_expression(bad)) << bad;
}

TEST(LicenseExpression, IsBoundedInDepthAndLength) {
  EXPECT_TRUE(is_license_expression(std::string(16, '(') + "MIT" + std::string(16, ')')));
  EXPECT_FALSE(is_license_expression(std::string(17, '(') + "MIT" + std::string(17, ')')));
  std::string longest = "MIT";
  while (longest.size() + 8 <= longest_license) longest += " AND MIT";
  EXPECT_TRUE(is_license_expression(longest));
  EXPECT_FALSE(is_license_expression(longest + " AND MIT"));
}

}  // namespace
}  // namespace flox::trust
