#include "node/kept/signed_texts.h"

#include <gtest/gtest.h>

#include "base/os/file.h"
#include "trust/testing/owner.h"

namespace flox::node {
namespace {

class SignedTextsTest : public testing::Test {
 protected:
  trust::Evidence published(const std::string& name, const std::string& version) {
    const trust::PackageRecord record = trust::testing::hello(version);
    owner_.publish(name, {{record.target_path(), record.to_target()}});
    return owner_.evidence(name);
  }
  TempDir dir_;
  trust::testing::TestOwner owner_;
};

TEST_F(SignedTextsTest, the_newest_of_each_owner_and_name_stays_for_the_next_floxd) {
  const trust::Evidence first = published("packages/hello", "1.0");
  ++owner_.targets.version;
  const trust::Evidence second = published("packages/hello", "2.0");
  const trust::Evidence other = published("packages/other", "1.0");
  {
    SignedTexts texts(dir_.path() / "signed");
    EXPECT_EQ(texts.targets_of("acme"), "");
    texts.remember(first, "packages/hello");
    texts.remember(second, "packages/hello");
    texts.remember(first, "packages/hello");  // another pod's answer comes late
    EXPECT_EQ(texts.name_file_of("acme", "packages/hello"), second.name_file);
  }
  SignedTexts texts(dir_.path() / "signed");
  texts.remember(first, "packages/hello");
  EXPECT_EQ(texts.targets_of("acme"), second.targets);
  EXPECT_EQ(texts.name_file_of("acme", "packages/hello"), second.name_file);
  texts.remember(other, "packages/other");
  EXPECT_EQ(texts.name_file_of("acme", "packages/other"), other.name_file);
  EXPECT_EQ(texts.name_file_of("acme", "packages/hello"), second.name_file);
  EXPECT_EQ(texts.name_file_of("nobody", "packages/hello"), "");
}

TEST_F(SignedTextsTest, a_damaged_text_is_replaced) {
  const trust::Evidence first = published("packages/hello", "1.0");
  SignedTexts(dir_.path() / "signed").remember(first, "packages/hello");
  for (const auto& entry : fs::directory_iterator(dir_.path() / "signed")) write_file(entry.path(), "{");
  SignedTexts texts(dir_.path() / "signed");
  texts.remember(first, "packages/hello");
  EXPECT_EQ(texts.targets_of("acme"), first.targets);
  EXPECT_EQ(texts.name_file_of("acme", "packages/hello"), first.name_file);
}

TEST_F(SignedTextsTest, there_are_never_more_than_so_many) {
  SignedTexts texts(dir_.path() / "signed", 4);
  for (int i = 0; i < 20; ++i) {
    const std::string name = "packages/p" + std::to_string(i);
    const trust::Evidence evidence = published(name, "1.0");
    texts.remember(evidence, name);
    EXPECT_EQ(texts.name_file_of("acme", name), evidence.name_file);
    EXPECT_EQ(texts.targets_of("acme"), evidence.targets);
    EXPECT_LE(std::distance(fs::directory_iterator(dir_.path() / "signed"), fs::directory_iterator()), 4);
  }
}

TEST_F(SignedTextsTest, names_push_out_no_owner) {
  const trust::Evidence before = published("packages/hello", "1.0");
  ++owner_.targets.version;
  const trust::Evidence after = published("packages/hello", "2.0");
  SignedTexts(dir_.path() / "signed", 4).remember(after, "packages/hello");
  SignedTexts texts(dir_.path() / "signed", 4);  // of the next floxd
  for (int i = 0; i < 8; ++i) texts.remember(before, "packages/p" + std::to_string(i));
  EXPECT_EQ(texts.targets_of("acme"), after.targets);
}

}  // namespace
}  // namespace flox::node
