#include "package/debian/copyright.h"

#include <gtest/gtest.h>

#include "trust/sbom/license.h"

namespace flox::package {
namespace {

constexpr const char* header =
    "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: web\n\n";

TEST(Copyright, JoinsTheLicencesOfAllFiles) {
  EXPECT_EQ(parse_copyright(
                std::string(header) +
                "Files: *\nCopyright: 2020 Ann\nLicense: GPL-2+ or Artistic\n\n"
                "Files: debian/*\nCopyright: 2021 Bo\nLicense: Expat\n Permission is hereby granted\n .\n "
                "and so on\n\n"
                "Files: more\nCopyright: 2021 Bo\nLicense: Expat\n\n"
                "License: GPL-2+\n On Debian systems …\n"),
            "(GPL-2.0-or-later OR Artistic-1.0) AND MIT");
}

TEST(Copyright, SaysNothingOfALicenceThatSpdxDoesNotName) {
  EXPECT_EQ(
      parse_copyright(std::string(header) + "Files: *\nLicense: Expat\n\nFiles: x\nLicense: public-domain\n"),
      "");
  EXPECT_EQ(parse_copyright(std::string(header) + "Files: *\nCopyright: nobody\n"), "");
}

TEST(Copyright, ThatIsProseSaysNothing) {
  EXPECT_EQ(parse_copyright("This package was debianized by Ann.\n\nLicense: GPL-2\n"), "");
  EXPECT_EQ(parse_copyright("Files: *\nLicense: Expat\n"), "");
  EXPECT_EQ(parse_copyright(""), "");
  EXPECT_EQ(parse_copyright(std::string(header) + std::string(max_copyright, 'x')), "");
}

TEST(LicenseExpression, TranslatesDebiansNames) {
  const std::pair<const char*, const char*> names[] = {
      {"Expat", "MIT"},
      {"GPL-1", "GPL-1.0-only"},
      {"LGPL-2.1+", "LGPL-2.1-or-later"},
      {"gpl-3", "GPL-3.0-only"},
      {"Apache-2.0", "Apache-2.0"},
      {"apache-2.0", "Apache-2.0"},
      {"BSD-3-clause", "BSD-3-Clause"},
      {"BSD-3-Clause", "BSD-3-Clause"},
      {"zlib", "Zlib"},
      {"Perl", "(Artistic-1.0-Perl OR GPL-1.0-or-later)"},
      {"GPL-3+ with Bison exception", "GPL-3.0-or-later WITH Bison-exception-2.2"},
      {"GPL-2+ with Libtool-exception", "GPL-2.0-or-later WITH Libtool-exception"},
      {"GPL-2+ or MIT and Zlib", "GPL-2.0-or-later OR MIT AND Zlib"},
      {"GPL-2+ or MIT, and Zlib", "(GPL-2.0-or-later OR MIT) AND Zlib"},
      {"MIT, and Zlib, or ISC", "(MIT AND Zlib) OR ISC"}};
  for (const auto& [debian, spdx] : names) {
    EXPECT_EQ(license_expression(debian), spdx);
    EXPECT_TRUE(trust::is_license_expression(spdx)) << spdx;
  }
}

TEST(LicenseExpression, IsEmptyForWhatCannotBeTranslated) {
  for (const char* name :
       {"", "public-domain", "GPL", "GPL-9", "MIT or", "or MIT", "MIT Zlib", "MIT, Zlib",
        "GPL-2 with OpenSSL exception", "MIT with", "Perl with Bison exception", ",", "BSD"})
    EXPECT_EQ(license_expression(name), "") << name;
}

}  // namespace
}  // namespace flox::package
