#include "package/debian/apt_repository.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::package {
namespace {

using ::testing::HasSubstr;

TEST(AptRepository, DebiansSourcesNameTheKeyThatSigns) {
  const std::string sources = debian_sources("trixie");
  EXPECT_THAT(sources, HasSubstr("Suites: trixie trixie-updates\n"));
  EXPECT_THAT(sources, HasSubstr("Suites: trixie-security\n"));
  EXPECT_THAT(sources, HasSubstr("Signed-By: /usr/share/keyrings/"));
  EXPECT_THAT(debian_sources("sid"), ::testing::Not(HasSubstr("security")));
}

TEST(AptRepository, ASuiteIsAName) {
  for (const char* bad : {"", "../x", "a b", "x\nTrusted: yes", "Bookworm", "-x"})
    EXPECT_THROW(debian_sources(bad), Error) << bad;
}

TEST(AptRepository, SourcesThatNobodySignedAreRefusedWithTheirLine) {
  check_sources("Types: deb\n# Trusted: yes\nSigned-By: /key\n", "f");
  for (const char* bad : {"Types: deb\nTrusted: yes\n", "deb http://x ./\ndeb [ trusted=yes ] http://x ./",
                          "X: y\nAllow-Insecure: yes"}) {
    try {
      check_sources(bad, "f");
      ADD_FAILURE() << bad;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::untrusted);
      EXPECT_THAT(error.what(), HasSubstr("f:2"));
    }
  }
}

}  // namespace
}  // namespace flox::package
