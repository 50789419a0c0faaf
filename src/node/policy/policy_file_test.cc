#include "node/policy/policy_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/os/file.h"
#include "testing/error_of.h"

namespace flox::policy {
namespace {

using testing::HasSubstr;

class PolicyFileTest : public testing::Test {
 protected:
  void write(const std::string& name) {
    write_file(path_, "[[allow]]\nname = \"" + name + "\"\nnamespaces = [\"*\"]\n");
  }
  static std::string rule_of(PolicyFile& file) {
    const auto policy = file.current();
    return policy->has_rules() ? policy->allows.at(0).name : "none";
  }
  TempDir directory_;
  fs::path path_ = directory_.path() / "policy.toml";
};

TEST_F(PolicyFileTest, IsReadAgainWhenItChanges) {
  write("one");
  PolicyFile file(path_, {});
  EXPECT_EQ(rule_of(file), "one");
  const auto held = file.current();
  write("two");
  EXPECT_EQ(rule_of(file), "two");
  EXPECT_EQ(held->allows.at(0).name, "one") << "a decision that is being made keeps its policy";
}

TEST_F(PolicyFileTest, ABadFileChangesNothingAndIsNamedUntilItIsGood) {
  write("one");
  PolicyFile file(path_, {});
  write_file(path_, "[[allow]]\nname = \"two\"\nnamespace = [\"*\"]\n");
  EXPECT_EQ(rule_of(file), "one");
  EXPECT_THAT(file.trouble(), HasSubstr("policy.toml:3:1: unknown key 'namespace'"));
  write_file(path_, "");
  EXPECT_EQ(rule_of(file), "one") << "an empty file does not allow everything";
  fs::remove(path_);
  EXPECT_EQ(rule_of(file), "one");
  EXPECT_THAT(file.trouble(), HasSubstr("policy.toml"));
  write("three");
  EXPECT_EQ(rule_of(file), "three");
  EXPECT_EQ(file.trouble(), "");
}

TEST_F(PolicyFileTest, AtTheStartABadFileIsAnErrorAndAMissingOneIfItIsNamed) {
  EXPECT_THAT(error_of([&] { PolicyFile file(path_, {}); }, ErrorKind::not_found), HasSubstr("policy.toml"));
  write_file(path_, "x = 1\n");
  EXPECT_THAT(error_of([&] { PolicyFile file(path_, {}); }), HasSubstr("policy.toml:1:1"));
  EXPECT_THAT(error_of([&] { PolicyFile file({}, {}, path_); }), HasSubstr("policy.toml:1:1"));
}

TEST_F(PolicyFileTest, TheDefaultOneMayComeLater) {
  PolicyFile file({}, {}, path_);
  EXPECT_EQ(rule_of(file), "none");
  file.reload();
  EXPECT_EQ(file.trouble(), "");
  write("one");
  EXPECT_EQ(rule_of(file), "one");
}

}  // namespace
}  // namespace flox::policy
