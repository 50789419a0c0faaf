#include "base/net/aws/shared_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::aws {
namespace {

using testing::HasSubstr;

// "section:setting=value," for each.
std::string read(std::string_view text) {
  std::string result;
  for (const auto& [name, section] : parse_shared_file(text))
    for (const auto& [setting, value] : section) result += name + ":" + setting + "=" + value.reveal() + ",";
  return result;
}

std::string refusal(std::string_view text) {
  try {
    return "read as " + read(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_input);
    return error.what();
  }
}

TEST(AwsSharedFile, has_settings_in_sections) {
  EXPECT_EQ(read("[default]\na = 1\n\n[work]\nb: 2\nc==x:y\nd =\n"),
            "default:a=1,work:b=2,work:c==x:y,work:d=,");
  EXPECT_EQ(read(""), "");
  EXPECT_EQ(read("[a]\r\nx=1\r\n[b]\ry=2"), "a:x=1,b:y=2,");
}

TEST(AwsSharedFile, what_follows_a_section_is_not_read_and_comments_are_lines) {
  EXPECT_EQ(read("# c\n; d\n[a] # of mine\nx = 1 # this belongs to the value\n  # e\n"),
            "a:x=1 # this belongs to the value,");
  EXPECT_EQ(read("[a] # or [b]\nx=1"), "a] # or [b:x=1,");
}

TEST(AwsSharedFile, names_of_settings_are_the_same_in_any_letter_case_those_of_sections_are_not) {
  EXPECT_EQ(read("[A]\nAWS_Access_KEY_id = K\n"), "A:aws_access_key_id=K,");
  EXPECT_THAT(refusal("[a]\nx=1\nX=2\n"), HasSubstr("line 3: the setting is there already"));
}

TEST(AwsSharedFile, settings_may_be_indented_and_what_is_indented_deeper_continues_a_value) {
  EXPECT_EQ(read("[a]\n  x = 1\n  y = 2\nz = 3\n"), "a:x=1,a:y=2,a:z=3,");
  EXPECT_EQ(read("  [a]\n\tx = 1\n"), "a:x=1,");
  EXPECT_EQ(read("[a]\nx = 1\n  y = 2\n\n  # no\n  z\n"), "a:x=1\ny = 2\n\nz,");
  EXPECT_EQ(read("[a]\nx = 1\n  [b]\n"), "a:x=1\n[b],");
}

TEST(AwsSharedFile, a_setting_of_settings_is_passed_over) {
  EXPECT_EQ(read("[a]\ns3 =\n  max = 1\n\n  x = 2\ny = 3\n"), "a:y=3,");
  EXPECT_THAT(refusal("[a]\ns3 =\n  max\n"), HasSubstr("line 3"));
}

TEST(AwsSharedFile, every_section_has_what_default_in_capitals_has) {
  EXPECT_EQ(read("[a]\nx=1\n[DEFAULT]\nx=2\ny=3\n[b]\n"), "a:x=1,a:y=3,b:x=2,b:y=3,");
}

TEST(AwsSharedFile, what_botocore_refuses_is_refused_with_its_line) {
  for (const char* text :
       {"x = 1\n", "[a]\nx\n", "[a]\n= 1\n", "[a]\n[a]\n", "[a\n", "[]\n", "[a]\nx=1\nx=1\n"})
    EXPECT_THAT(refusal(text), HasSubstr("line ")) << text;
  EXPECT_THAT(refusal("[a]\naws_secret_access_key SECRET\n"), testing::Not(HasSubstr("SECRET")));
  EXPECT_THAT(refusal(std::string("[a]\nx=\0y", 8)), HasSubstr("NUL"));
}

TEST(AwsSharedFile, sections_of_the_configuration_that_are_profiles_say_so) {
  EXPECT_EQ(profile_of_section("default"), "default");
  EXPECT_EQ(profile_of_section("profile work"), "work");
  EXPECT_EQ(profile_of_section("profile  \"my work\""), "my work");
  EXPECT_EQ(profile_of_section("profile 'a\\b'"), "a\\b");
  EXPECT_EQ(profile_of_section("profile my\\ work"), "my work");
  for (const char* section : {"work", "profile", "profile a b", "profile \"a", "sso-session x", ""})
    EXPECT_EQ(profile_of_section(section), "") << section;
}

}  // namespace
}  // namespace flox::aws
