#include "trust/signing_state.h"

#include <gtest/gtest.h>

#include "testing/error_of.h"
#include "trust/testing/owner.h"

namespace flox::trust {
namespace {

using testing::key;
using testing::TestOwner;

class SigningStateTest : public ::testing::Test {
 protected:
  TestOwner owner;
  nix::SecretKey alice = key("alice-1"), bob = key("bob-1"), carol = key("carol-1");

  void SetUp() override {
    owner.targets.roles.clear();
    owner.targets.keys.clear();
    owner.delegate("release", {"packages/*"}, {alice, bob, carol}, 2);
  }
  Signed<NameFile> file(uint64_t version = 1, const std::string& name = "packages/hello") {
    NameFile content;
    owner.head(content);
    content.name = name;
    content.version = version;
    content.targets = {{"2.12/x86_64-linux/any", testing::hello().to_target()}};
    return Signed<NameFile>::of(content);
  }
  Signed<NameFile> signed_with(Signed<NameFile> copy, const nix::SecretKey& with) {
    Signers signers;
    signers.push_back(Signer::of(with));
    sign(copy, owner.targets, signers);
    return copy;
  }
};

TEST_F(SigningStateTest, CountsWhatAFileHasAndSaysWhoCouldSign) {
  SigningState state = signing_state(file(3), owner.targets);
  EXPECT_EQ(state.what, "packages/hello version 3");
  EXPECT_EQ(state.signatures, 0);
  EXPECT_EQ(state.needed, 2);
  EXPECT_EQ(state.lacking.size(), 3);
  state = signing_state(signed_with(file(), bob), owner.targets);
  EXPECT_EQ(state.signatures, 1);
  ASSERT_EQ(state.lacking.size(), 2);
  EXPECT_TRUE(state.lacking[0].starts_with("alice-1 ("));
  EXPECT_FALSE(state.complete());
  EXPECT_TRUE(signing_state(signed_with(signed_with(file(), bob), carol), owner.targets).complete());
  EXPECT_EQ(signing_state(signed_with(signed_with(file(), bob), bob), owner.targets).signatures, 1)
      << "a key counts once";
  EXPECT_EQ(signing_state(signed_with(file(), key("stranger-1")), owner.targets).signatures, 0);
}

TEST_F(SigningStateTest, CountsTheRoleThatLacksTheFewest) {
  owner.delegate("hotfix", {"packages/hello"}, {key("dave-1")});
  EXPECT_EQ(signing_state(file(), owner.targets).needed, 1);
  owner.targets.roles[0].terminating = true;
  EXPECT_EQ(signing_state(file(), owner.targets).needed, 2) << "no later role counts";
}

TEST_F(SigningStateTest, SaysThatANameIsDelegatedToNobody) {
  EXPECT_EQ(
      error_of([&] { signing_state(file(1, "environments/web"), owner.targets); }, ErrorKind::untrusted),
      "acme has delegated environments/web to nobody");
}

TEST_F(SigningStateTest, MergesWhatSeveralHoldersHaveSigned) {
  const auto merged_file = merged({signed_with(file(), alice), signed_with(file(), carol)}, owner.targets);
  EXPECT_TRUE(signing_state(merged_file, owner.targets).complete());
  EXPECT_EQ(merged_file.signatures.size(), 2);
}

TEST_F(SigningStateTest, MergesNoSignatureOfSomethingElse) {
  EXPECT_EQ(error_of([&] {
              merged({signed_with(file(1), alice), signed_with(file(2), bob)}, owner.targets);
            }),
            "the files of acme do not say the same: packages/hello version 1, and packages/hello version 2");
  auto broken = signed_with(file(), bob);
  broken.signatures.front().bytes[0] ^= 1;
  const auto stranger = key("stranger-1");
  auto foreign = file();
  foreign.add({.keyid = Key::of(stranger.public_key()).id(), .bytes = std::string(64, 'x')});
  const auto merged_file = merged({signed_with(file(), alice), broken, foreign}, owner.targets);
  EXPECT_EQ(merged_file.signatures.size(), 1) << "what does not verify is left out";
  EXPECT_NE(error_of([&] { merged({}, owner.targets); }), "no error");
}

}  // namespace
}  // namespace flox::trust
