#include "node/policy/policy_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <thread>

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

TEST_F(PolicyFileTest, AFileThatIsWrittenInPlaceIsNotReadHalf) {
  const std::string allow = "[[allow]]\nname = \"all\"\nnamespaces = [\"*\"]\npackages = [\"*\"]\n";
  const std::string deny = "[[deny]]\nname = \"late\"\npackages = [\"openssl\"]\n";
  write("one");
  bool settled = false;  // whether the last change is a second ago, else it is now
  PolicyFile file(path_, {}, {}, [&] {
    struct stat status {};
    ::stat(path_.c_str(), &status);
    return (status.st_ctim.tv_sec + (settled ? 1 : 0)) * 1'000'000'000 + status.st_ctim.tv_nsec;
  });
  std::ofstream stream(path_, std::ios::trunc);  // an editor that does not rename
  stream << allow << std::flush;
  EXPECT_EQ(rule_of(file), "one") << "without the rule that denies it would be a wider policy";
  stream << deny << std::flush;
  EXPECT_EQ(rule_of(file), "one");
  settled = true;
  EXPECT_EQ(rule_of(file), "all");
  EXPECT_EQ(file.current()->denies.size(), 1U);
}

TEST_F(PolicyFileTest, WhoeverDecidesWhileItIsReplacedHasOneOfBothWhole) {
  const auto text = [](const std::string& name, int rules) {
    std::string result = "[[allow]]\nname = \"" + name + "\"\nnamespaces = [\"*\"]\n";
    for (int i = 0; i < rules; ++i)
      result += "[[deny]]\nname = \"" + name + std::to_string(i) + "\"\npackages = [\"p\"]\n";
    return result;
  };
  write_file(path_, text("a", 3));
  PolicyFile file(path_, {});
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 0; i < 200; ++i) write_file(path_, i % 2 == 0 ? text("b", 7) : text("a", 3));
    done = true;
  });
  std::vector<std::thread> pods;
  std::atomic<int> decided = 0, mixed = 0;
  for (int i = 0; i < 4; ++i)
    pods.emplace_back([&] {
      do {
        const auto policy = file.current();
        ++decided;
        const size_t expected = policy->allows.at(0).name == "a" ? 3 : 7;
        if (policy->denies.size() != expected) ++mixed;
        for (const auto& rule : policy->denies)
          if (!rule.name.starts_with(policy->allows[0].name)) ++mixed;
      } while (!done);
    });
  writer.join();
  for (auto& pod : pods) pod.join();
  EXPECT_GT(decided, 0);
  EXPECT_EQ(mixed, 0);
  EXPECT_EQ(rule_of(file), "a") << "the last one";
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
