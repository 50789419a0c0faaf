#include "node/kept/signed_texts.h"

#include <gtest/gtest.h>

#include "base/os/file.h"
#include "trust/testing/owner.h"

namespace flox::node {
namespace {

class SignedTextsTest : public testing::Test {
 protected:
  SignedTextsTest() { store_.accept("acme", {owner_.root_text()}); }
  trust::Evidence published(const std::string& name, const std::string& version) {
    const trust::PackageRecord record = trust::testing::hello(version);
    owner_.publish(name, {{record.target_path(), record.to_target()}});
    return owner_.evidence(name);
  }
  TempDir dir_;
  trust::testing::TestOwner owner_;
  trust::TrustStore store_{dir_.path() / "trust", dir_.path() / "state"};
};

TEST_F(SignedTextsTest, the_newest_of_each_owner_and_name_stays_for_the_next_floxd) {
  const trust::Evidence first = published("packages/hello", "1.0");
  ++owner_.targets.version;
  const trust::Evidence second = published("packages/hello", "2.0");
  const trust::Evidence other = published("packages/other", "1.0");
  {
    SignedTexts texts(dir_.path() / "signed");
    EXPECT_EQ(texts.targets_of("acme"), "");
    texts.remember(first, "packages/hello", store_);
    texts.remember(second, "packages/hello", store_);
    texts.remember(first, "packages/hello", store_);  // another pod's answer comes late
    EXPECT_EQ(texts.name_file_of("acme", "packages/hello"), second.name_file);
  }
  SignedTexts texts(dir_.path() / "signed");
  texts.remember(first, "packages/hello", store_);
  EXPECT_EQ(texts.targets_of("acme"), second.targets);
  EXPECT_EQ(texts.name_file_of("acme", "packages/hello"), second.name_file);
  texts.remember(other, "packages/other", store_);
  EXPECT_EQ(texts.name_file_of("acme", "packages/other"), other.name_file);
  EXPECT_EQ(texts.name_file_of("acme", "packages/hello"), second.name_file);
  EXPECT_EQ(texts.name_file_of("nobody", "packages/hello"), "");
}

TEST_F(SignedTextsTest, a_damaged_text_is_replaced) {
  const trust::Evidence first = published("packages/hello", "1.0");
  SignedTexts(dir_.path() / "signed").remember(first, "packages/hello", store_);
  for (const auto& entry : fs::directory_iterator(dir_.path() / "signed")) write_file(entry.path(), "{");
  SignedTexts texts(dir_.path() / "signed");
  texts.remember(first, "packages/hello", store_);
  EXPECT_EQ(texts.targets_of("acme"), first.targets);
  EXPECT_EQ(texts.name_file_of("acme", "packages/hello"), first.name_file);
}

TEST_F(SignedTextsTest, there_are_never_more_than_so_many) {
  SignedTexts texts(dir_.path() / "signed", 4);
  for (int i = 0; i < 20; ++i) {
    const std::string name = "packages/p" + std::to_string(i);
    const trust::Evidence evidence = published(name, "1.0");
    texts.remember(evidence, name, store_);
    EXPECT_EQ(texts.name_file_of("acme", name), evidence.name_file);
    EXPECT_EQ(texts.targets_of("acme"), evidence.targets);
    EXPECT_LE(std::distance(fs::directory_iterator(dir_.path() / "signed"), fs::directory_iterator()), 4);
  }
}

// Who has a targets key or a publisher's, and the catalog's, has signed versions that nobody reaches.
TEST_F(SignedTextsTest, what_a_newer_root_stands_above_replaces_any_version_of_before) {
  constexpr uint64_t far = uint64_t{1} << 53;
  const trust::Evidence before = published("packages/hello", "1.0");
  trust::testing::TestOwner thief = owner_;
  thief.targets.version = far;
  const trust::PackageRecord record = trust::testing::hello("1.0");
  trust::NameFile file;
  thief.head(file);
  file.name = "packages/hello";
  file.version = far;
  file.targets = {{record.target_path(), record.to_target()}};
  thief.put(file, trust::testing::signed_by(file, {thief.signing_key}));
  const trust::Evidence stolen = thief.evidence("packages/hello");
  SignedTexts(dir_.path() / "signed").remember(stolen, "packages/hello", store_);

  owner_.targets_key = trust::testing::key("targets-2");
  owner_.root.targets = trust::testing::add_role(owner_.root.keys, {owner_.targets_key});
  ++owner_.root.version;
  owner_.targets.version = 2;
  const trust::Evidence after = published("packages/hello", "1.0");
  store_.update_root("acme", {owner_.root_text()}, owner_.now);
  trust::Verifier verifier(store_, [&] { return owner_.now; });
  for (int start = 0; start < 2; ++start) {  // the next floxd knows it, too
    SignedTexts texts(dir_.path() / "signed");
    texts.remember(after, "packages/hello", store_);
    texts.remember(stolen, "packages/hello", store_);  // another pod's answer comes late
    EXPECT_EQ(texts.targets_of("acme"), after.targets);
    EXPECT_EQ(texts.name_file_of("acme", "packages/hello"), after.name_file);
    EXPECT_NO_THROW(
        verifier.verify_kept_package_file({.owner = "acme",
                                           .targets = texts.targets_of("acme"),
                                           .name_file = before.name_file,
                                           .newest = texts.name_file_of("acme", "packages/hello")},
                                          "hello"))
        << "a pod restarts with what it was answered before all this";
  }
}

// The owner's root key was stolen: there is another root, which does not come of the chain of the first.
TEST_F(SignedTextsTest, what_was_verified_by_another_anchor_is_replaced_by_any_version) {
  owner_.targets.version = 9;
  const trust::Evidence before = published("packages/hello", "1.0");
  SignedTexts texts(dir_.path() / "signed");
  texts.remember(before, "packages/hello", store_);
  EXPECT_EQ(texts.targets_of("acme"), before.targets);
  fs::remove(dir_.path() / "trust/acme/root.json");
  owner_ = trust::testing::TestOwner();
  store_.accept("acme", {owner_.root_text()});
  const trust::Evidence after = published("packages/hello", "1.0");
  texts.remember(after, "packages/hello", store_);
  EXPECT_EQ(texts.targets_of("acme"), after.targets);
  EXPECT_EQ(texts.name_file_of("acme", "packages/hello"), after.name_file);
}

TEST_F(SignedTextsTest, a_text_of_an_earlier_release_counts_until_the_next_comes) {
  const trust::Evidence first = published("packages/hello", "1.0");
  ++owner_.targets.version;
  const trust::Evidence second = published("packages/hello", "2.0");
  SignedTexts(dir_.path() / "signed").remember(first, "packages/hello", store_);
  for (const auto& entry : fs::directory_iterator(dir_.path() / "signed")) {
    const std::string text = read_file(entry.path());
    const std::string body = text.substr(text.find('\n') + 1);
    write_file(entry.path(), to_hex(bytes_of(sha256(body))) + "\n" + body);
  }
  SignedTexts texts(dir_.path() / "signed");
  EXPECT_EQ(texts.targets_of("acme"), first.targets);
  texts.remember(second, "packages/hello", store_);
  EXPECT_EQ(texts.targets_of("acme"), second.targets);
}

TEST_F(SignedTextsTest, names_push_out_no_owner) {
  const trust::Evidence before = published("packages/hello", "1.0");
  ++owner_.targets.version;
  const trust::Evidence after = published("packages/hello", "2.0");
  SignedTexts(dir_.path() / "signed", 4).remember(after, "packages/hello", store_);
  SignedTexts texts(dir_.path() / "signed", 4);  // of the next floxd
  for (int i = 0; i < 8; ++i) texts.remember(before, "packages/p" + std::to_string(i), store_);
  EXPECT_EQ(texts.targets_of("acme"), after.targets);
}

}  // namespace
}  // namespace flox::node
