#include "package/python/requirement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "package/python/metadata.h"

namespace flox::package {
namespace {

using testing::ElementsAre;

const MarkerEnvironment& here() {
  static const MarkerEnvironment environment =
      PythonTarget{.minor = 11, .full_version = "3.11.2", .architecture = "x86_64", .glibc_minor = 36}
          .markers();
  return environment;
}
bool applies(const std::string& marker, const std::set<std::string>& extras = {}) {
  return PythonRequirement::parse("a; " + marker).applies(here(), extras);
}

TEST(PythonRequirement, HasANameExtrasConditionsAndAMarker) {
  const auto requirement = PythonRequirement::parse(
      R"( Requests_Oauth.lib [ security , Tests ] (>=2.8.1, ==2.8.*) ; python_version < "2.7")");
  EXPECT_EQ(requirement.name, "requests-oauth-lib");
  EXPECT_THAT(requirement.extras, ElementsAre("security", "tests"));
  EXPECT_EQ(requirement.versions.text(), ">=2.8.1, ==2.8.*");
  EXPECT_EQ(requirement.marker, R"(python_version < "2.7")");
  EXPECT_EQ(PythonRequirement::parse("a @ https://x/y;z ; os_name == 'posix'").url, "https://x/y;z");
  EXPECT_TRUE(PythonRequirement::parse("a[]").extras.empty());
}

TEST(PythonRequirement, MarkersAreDecidedAsPep508Says) {
  EXPECT_TRUE(applies("python_version >= '3.8' and python_version < '3.12'"));
  EXPECT_FALSE(applies("python_version < '3.9'"));  // as a version, not as a text
  EXPECT_TRUE(applies("python_full_version == '3.11.*'"));
  EXPECT_TRUE(applies("sys_platform == 'linux' or (os_name == 'nt' and platform_machine in 'x86 x86_64')"));
  EXPECT_FALSE(applies("(sys_platform == 'win32' or os_name == 'nt') and python_version > '3'"));
  EXPECT_TRUE(applies("'linux' in sys_platform"));
  EXPECT_TRUE(applies("platform_system not in 'Windows Darwin'"));
  EXPECT_FALSE(applies("platform_python_implementation == 'PyPy'"));
  EXPECT_TRUE(applies("python_implementation == 'CPython'"));
  EXPECT_FALSE(applies("extra == 'fast'"));
  EXPECT_TRUE(applies("extra == 'Fast_er'", {"fast-er", "slow"}));
  EXPECT_FALSE(applies("platform_release >= '5'"));
}

TEST(PythonRequirement, WhatCannotBeReadIsRefused) {
  for (const std::string& text :
       {std::string(), std::string("-a"), std::string("a-"), std::string("a b"), std::string("a[b"),
        std::string("a[b c]"), std::string("a; unknown == '1'"), std::string("a; os_name == 'x"),
        std::string("a; os_name"), std::string("a; os_name == 'x' and"), std::string("a; (os_name == 'x'"),
        "a; " + std::string(40, '(') + "os_name == 'x'" + std::string(40, ')'), std::string(9000, 'a'),
        std::string("../a")})
    EXPECT_THROW(PythonRequirement::parse(text), Error) << text.substr(0, 60);
}

}  // namespace
}  // namespace flox::package
