#include "package/python/version.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::package {
namespace {

PythonVersion version(const char* text) { return PythonVersion::parse(text); }
bool meets(const char* condition, const char* text) {
  return PythonSpecifiers::parse(condition).admits(version(text));
}

TEST(PythonVersion, HasOneNormalForm) {
  EXPECT_EQ(version(" V1.0-Alpha.1_Post2.DEV3+Ubuntu-1 ").to_string(), "1.0a1.post2.dev3+ubuntu.1");
  EXPECT_EQ(version("1!2.0c1").to_string(), "1!2.0rc1");
  EXPECT_EQ(version("1.0-3").to_string(), "1.0.post3");
  EXPECT_EQ(version("2004b").to_string(), "2004b0");
  EXPECT_EQ(version("1.0.dev").to_string(), "1.0.dev0");
}

// The order of PEP 440's own examples.
TEST(PythonVersion, SortsAsPep440Says) {
  const char* const ordered[] = {"1.dev0",
                                 "1.0.dev456",
                                 "1.0a1",
                                 "1.0a2.dev456",
                                 "1.0a12.dev456",
                                 "1.0a12",
                                 "1.0b1.dev456",
                                 "1.0b2",
                                 "1.0b2.post345.dev456",
                                 "1.0b2.post345",
                                 "1.0rc1.dev456",
                                 "1.0rc1",
                                 "1.0",
                                 "1.0+abc.5",
                                 "1.0+abc.7",
                                 "1.0+5",
                                 "1.0.post456.dev34",
                                 "1.0.post456",
                                 "1.0.15",
                                 "1.1.dev1",
                                 "1!0.1"};
  for (size_t i = 0; i + 1 < std::size(ordered); ++i)
    EXPECT_LT(version(ordered[i]), version(ordered[i + 1])) << ordered[i] << " and " << ordered[i + 1];
  EXPECT_EQ(version("1.0"), version("1.0.0"));
  EXPECT_EQ(version("1.0+Local"), version("1+local"));
}

TEST(PythonVersion, IsNotWhatOnlyBeginsLikeOne) {
  for (const char* text :
       {"", "a", "1.", "1..2", "1.0a1a2", "1.0+", "1.0+a..b", "!1", "1.0 2", "1.0post1dev2x",
        "1.1234567890123456789", "1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17"})
    EXPECT_FALSE(PythonVersion::find(text)) << text;
}

TEST(PythonSpecifiers, AdmitWhatPep440Says) {
  EXPECT_TRUE(meets("~=2.2", "2.99"));
  EXPECT_FALSE(meets("~=2.2", "3.0"));
  EXPECT_TRUE(meets("~=1.4.5", "1.4.9"));
  EXPECT_FALSE(meets("~=1.4.5", "1.5"));
  EXPECT_TRUE(meets("==1.1", "1.1.0+local"));
  EXPECT_FALSE(meets("==1.1+a", "1.1+b"));
  EXPECT_TRUE(meets("==1.1.*", "1.1a1"));
  EXPECT_FALSE(meets("==1.1.*", "1.10"));
  EXPECT_FALSE(meets("!=1.1.*", "1.1.post1"));
  EXPECT_FALSE(meets("<3.1", "3.1.dev0"));
  EXPECT_FALSE(meets("<3.1", "3.1rc1"));
  EXPECT_TRUE(meets("<3.1rc1", "3.1b1"));
  EXPECT_FALSE(meets(">1.7", "1.7.0.post1"));
  EXPECT_TRUE(meets(">1.7.post2", "1.7.0.post3"));
  EXPECT_FALSE(meets(">1.7", "1.7+local"));
  EXPECT_TRUE(meets("<=1.7", "1.7+local"));
  EXPECT_TRUE(meets(">=1.0, <2 , !=1.5", "1.6"));
  EXPECT_FALSE(meets(">=1.0,<2,!=1.5", "1.5.0"));
  EXPECT_TRUE(meets("===1.0", "1.0"));
  EXPECT_TRUE(meets("", "0.1"));
  EXPECT_TRUE(PythonSpecifiers::parse(">=2.0b1").names_pre_release());
  EXPECT_FALSE(PythonSpecifiers::parse("!=2.0b1").names_pre_release());
}

TEST(PythonSpecifiers, ThatMeanNothingAreRefused) {
  for (const char* text : {"1.0", "=1.0", ">=1.*", "~=1", "==a", ">=", "==1.0a1.*", "> =1"})
    EXPECT_THROW(PythonSpecifiers::parse(text), Error) << text;
  std::string many = "!=0";
  for (int i = 0; i < 64; ++i) many += ",!=0";
  EXPECT_THROW(PythonSpecifiers::parse(many), Error);
}

}  // namespace
}  // namespace flox::package
