#include "trust/trust_store.h"

#include <gtest/gtest.h>

#include "base/os/file.h"
#include "testing/error_of.h"
#include "testing/names_in.h"
#include "trust/testing/owner.h"

namespace flox::trust {
namespace {

using testing::add_role;
using testing::key;
using testing::signed_by;
using testing::TestOwner;

class TrustStoreTest : public ::testing::Test {
 protected:
  TempDir dir;
  TrustStore store{dir.path() / "trust", dir.path() / "state"};
  TestOwner owner;

  std::string text(const Root& root, const std::vector<nix::SecretKey>& keys) {
    return signed_by(root, keys);
  }
  // The next root: signed by the key before and by a new one, which is the owner's from then on.
  std::string rotated() {
    const nix::SecretKey before = owner.root_key;
    owner.root_key = key("root-2");
    owner.root.keys.erase(owner.root.root.keyids[0]);
    owner.root.root = add_role(owner.root.keys, {owner.root_key});
    ++owner.root.version;
    return signed_by(owner.root, {before, owner.root_key});
  }
  std::string known_name(uint64_t version) {
    store.remember("acme", 1, {}, "packages/hello", version);
    return std::to_string(store.known("acme", "packages/hello").name_version);
  }
};

TEST_F(TrustStoreTest, TrustsNobodyAtFirstAndWritesNothing) {
  EXPECT_TRUE(store.owners().empty());
  EXPECT_FALSE(store.trusts("acme"));
  EXPECT_EQ(store.root_version("acme"), 0);
  EXPECT_EQ(error_of([&] { store.root("acme"); }, ErrorKind::untrusted),
            fmt::format("the owner 'acme' is not trusted: there is no {}/trust/acme/root.json",
                        dir.path().string()));
  EXPECT_NE(error_of([&] { store.require_package("acme", "hello"); }, ErrorKind::untrusted), "no error");
  EXPECT_NE(error_of([&] { store.remember("acme", 1, {.timestamp = 1}, "packages/hello", 1); },
                     ErrorKind::untrusted),
            "no error");
  EXPECT_FALSE(fs::exists(dir.path() / "trust"));
  EXPECT_NE(error_of([&] { store.trusts("../acme"); }), "no error");
}

TEST_F(TrustStoreTest, KeepsARootThatItsOwnKeysHaveSigned) {
  store.accept("acme", {owner.root_text()});
  EXPECT_EQ(store.owners(), std::vector<std::string>{"acme"});
  EXPECT_EQ(store.root_version("acme"), 1);
  EXPECT_EQ(store.root("acme").to_string(), owner.root_text());
  EXPECT_EQ(store.package_patterns("acme"), std::vector<std::string>{"*"});
  EXPECT_NE(error_of([&] { store.accept("other", {owner.root_text()}); }, ErrorKind::untrusted), "no error")
      << "it is of acme";
  owner.owner = owner.root.owner = "other";
  EXPECT_NE(
      error_of([&] { store.accept("other", {text(owner.root, {key("root-1")})}); }, ErrorKind::untrusted),
      "no error");
  EXPECT_FALSE(store.trusts("other"));
}

TEST_F(TrustStoreTest, BelievesAnOwnerForThePackagesThatItsPatternsCover) {
  store.accept("acme", {owner.root_text()}, {"web-*", "hello"});
  TestOwner other("other");
  store.accept("other", {other.root_text()});
  EXPECT_NO_THROW(store.require_package("acme", "web-server"));
  EXPECT_EQ(error_of([&] { store.require_package("acme", "bash"); }, ErrorKind::untrusted),
            "the owner 'acme' is not trusted for the package bash");
  EXPECT_EQ(store.owners_of_package("hello"), (std::vector<std::string>{"acme", "other"}));
  EXPECT_EQ(store.owners_of_package("bash"), (std::vector<std::string>{"other"}));
  EXPECT_NE(error_of([&] { store.accept("acme", {owner.root_text()}, {"a/b"}); }), "no error");
  write_file(dir.path() / "trust/acme/packages", "# ours\n\nweb-*\n[ab]\n");
  EXPECT_EQ(error_of([&] { store.package_patterns("acme"); }),
            fmt::format("{}/trust/acme/packages:4:1: 'packages/[ab]' is not a pattern of names",
                        dir.path().string()));
}

TEST_F(TrustStoreTest, FollowsAChainOfRoots) {
  store.accept("acme", {owner.root_text()});
  const std::string second = rotated(), third = rotated();
  EXPECT_EQ(error_of([&] { store.update_root("acme", {third}, owner.now); }, ErrorKind::untrusted),
            "root.json of acme version 3: it does not follow version 1");
  EXPECT_EQ(store.update_root("acme", {second, third}, owner.now, false).content.version, 3);
  EXPECT_EQ(store.root_version("acme"), 1) << "nothing was to be kept";
  store.update_root("acme", {second, third}, owner.now);
  EXPECT_EQ(store.root("acme").to_string(), third);
  EXPECT_EQ(store.update_root("acme", {second}, owner.now).content.version, 3)
      << "an older one changes nothing";
  EXPECT_EQ(read_file(dir.path() / "trust/acme/root.json").find("\"version\":3"), std::string::npos)
      << "what somebody has accepted stays";
}

TEST_F(TrustStoreTest, RefusesARootThatOneSideHasNotSigned) {
  store.accept("acme", {owner.root_text()});
  const nix::SecretKey before = owner.root_key;
  rotated();
  EXPECT_NE(error_of([&] { store.update_root("acme", {text(owner.root, {owner.root_key})}, owner.now); },
                     ErrorKind::untrusted)
                .find("needs; it lacks one of root-1"),
            std::string::npos);
  EXPECT_NE(error_of([&] { store.update_root("acme", {text(owner.root, {before})}, owner.now); },
                     ErrorKind::untrusted)
                .find("role root needs; it lacks one of root-2"),
            std::string::npos);
  EXPECT_EQ(store.root_version("acme"), 1);
}

TEST_F(TrustStoreTest, RefusesAChainWhoseEndHasExpired) {
  store.accept("acme", {owner.root_text()});
  owner.root.expires = owner.now - std::chrono::seconds(1);
  const std::string second = rotated();
  EXPECT_NE(
      error_of([&] { store.update_root("acme", {second}, owner.now); }, ErrorKind::untrusted).find("expired"),
      std::string::npos);
  owner.root.expires = owner.now + std::chrono::days(1);
  const std::string third = rotated();
  EXPECT_EQ(store.update_root("acme", {second, third}, owner.now).content.version, 3)
      << "one on the way may have";
}

TEST_F(TrustStoreTest, RemembersTheHighestVersions) {
  store.accept("acme", {owner.root_text()});
  EXPECT_EQ(store.seen("acme"), Seen());
  store.remember("acme", 1, {.timestamp = 7, .targets = 2}, "packages/hello", 3);
  store.remember("acme", 1, {.timestamp = 5, .targets = 4}, "packages/hello", 2);
  EXPECT_EQ(store.seen("acme"), (Seen{.timestamp = 7, .targets = 4}));
  EXPECT_EQ(store.known("acme", "packages/hello").name_version, 3);
  EXPECT_EQ(store.known("acme", "environments/hello").name_version, 0);
  EXPECT_EQ(known_name(9), "9");
  EXPECT_NE(error_of([&] { store.remember("acme", 1, {}, "packages/../../x", 1); }), "no error");
  EXPECT_EQ(names_in(dir.path() / "state/acme/names/packages"), std::vector<std::string>{"hello"});
}

TEST_F(TrustStoreTest, ReplacesAnAnchorByANewerOneOfItsChainOnly) {
  const std::string first = owner.root_text();
  store.accept("acme", {first});
  store.remember("acme", 1, {.timestamp = 7}, "packages/hello", 3);
  TestOwner impostor;
  impostor.root.version = 2;
  EXPECT_NE(error_of([&] { store.accept("acme", {impostor.root_text()}); }, ErrorKind::conflict)
                .find("another root of acme is trusted here (version 1, fingerprint"),
            std::string::npos);
  EXPECT_NE(error_of([&] { store.accept("acme", {TestOwner().root_text()}); }, ErrorKind::conflict),
            "no error")
      << "of the same version";
  const std::string second = rotated(), third = rotated();
  EXPECT_NE(error_of([&] { store.accept("acme", {third}); }, ErrorKind::conflict), "no error");
  store.accept("acme", {second, third});
  EXPECT_EQ(store.root_version("acme"), 3);
  EXPECT_EQ(store.seen("acme").timestamp, 7) << "of one chain, what was seen stays seen";
  EXPECT_EQ(error_of([&] { store.accept("acme", {first}); }, ErrorKind::conflict),
            "version 1 of the root of acme is older than version 3, which is trusted here");
  EXPECT_NO_THROW(store.accept("acme", {third}));
  EXPECT_NO_THROW(store.accept("acme", {first, second, third}));
}

TEST_F(TrustStoreTest, ForgetsWhatWasSeenUnderAnotherAnchor) {
  store.accept("acme", {owner.root_text()});
  const std::string second = rotated();
  store.update_root("acme", {second}, owner.now);
  store.remember("acme", 2, {.timestamp = 7}, "packages/hello", 3);
  fs::remove(dir.path() / "trust/acme/root.json");
  const std::string other = TestOwner().root_text();
  store.accept("acme", {other});
  EXPECT_EQ(store.root("acme").to_string(), other);
  EXPECT_EQ(store.seen("acme"), Seen());
  EXPECT_EQ(store.known("acme", "packages/hello").name_version, 0);
  store.remember("acme", 1, {.timestamp = 1}, "packages/web", 1);
  EXPECT_EQ(store.root_version("acme"), 1);
  EXPECT_EQ(store.known("acme", "packages/hello").name_version, 0);
}

// A thief's answer that was verified just before the owner's new root came is written down just after it.
TEST_F(TrustStoreTest, WritesDownNothingThatWasVerifiedByARootOfBefore) {
  store.accept("acme", {owner.root_text()});
  store.remember("acme", 1, {.timestamp = 7, .targets = 2}, "packages/hello", 3);
  owner.targets_key = key("targets-2");
  owner.root.targets = add_role(owner.root.keys, {owner.targets_key});
  ++owner.root.version;
  store.update_root("acme", {owner.root_text()}, owner.now);
  EXPECT_EQ(store.seen("acme"), (Seen{.timestamp = 7}));
  store.remember("acme", 1, {.timestamp = 8, .targets = uint64_t{1} << 53}, "packages/hello", 4);
  EXPECT_EQ(store.seen("acme"), (Seen{.timestamp = 7}));
  EXPECT_EQ(store.known("acme", "packages/hello").name_version, 3);
  store.remember("acme", 2, {.timestamp = 8, .targets = 1}, "packages/hello", 4);
  EXPECT_EQ(store.seen("acme"), (Seen{.timestamp = 8, .targets = 1}));
}

TEST_F(TrustStoreTest, RefusesAnAnchorThatOthersMayWrite) {
  store.accept("acme", {owner.root_text()});
  fs::permissions(dir.path() / "trust/acme/root.json", fs::perms(0666));
  EXPECT_NE(
      error_of([&] { store.root("acme"); }, ErrorKind::untrusted).find("others than its owner may write to"),
      std::string::npos);
}

}  // namespace
}  // namespace flox::trust
