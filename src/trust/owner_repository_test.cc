#include "trust/owner_repository.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/os/file.h"
#include "testing/error_of.h"
#include "testing/names_in.h"
#include "trust/key_changes.h"
#include "trust/testing/owner.h"

namespace flox::trust {
namespace {

using testing::add_role;
using testing::key;
using testing::TestOwner;
using Use = OwnerRepository::Use;

class OwnerRepositoryTest : public ::testing::Test {
 protected:
  TempDir dir;
  TrustStore store{dir.path() / "trust", dir.path() / "state"};
  TestOwner owner;
  nix::SecretKey bob = key("bob-1");

  ChangeOutcome create() {
    Signers signers;
    signers.push_back(Signer::of(owner.root_key));
    signers.push_back(Signer::of(owner.targets_key));
    return OwnerRepository::create(store, owner.root, owner.targets, {owner.root_key, owner.targets_key},
                                   signers);
  }
  // Bob holds a root key, too, and two must sign.
  void share() { owner.root.root = add_role(owner.root.keys, {owner.root_key, bob}, 2); }
  std::vector<std::string> files() { return names_in(dir.path() / "trust/acme/repository"); }
  std::vector<std::string> waiting() { return names_in(dir.path() / "trust/acme/repository/pending"); }
  // What bob does with a file that he has got.
  Signed<Root> signed_by_bob(const fs::path& file, const Signed<Root>* before = nullptr) {
    auto root = Signed<Root>::parse(read_file(file), "root.json");
    Signers signers;
    signers.push_back(Signer::of(bob));
    EXPECT_EQ(sign(root, before, signers), 1);
    return root;
  }
};

TEST_F(OwnerRepositoryTest, BeginsAsAWhole) {
  const ChangeOutcome outcome = create();
  EXPECT_TRUE(outcome.complete);
  EXPECT_EQ(outcome.files[0].path, dir.path() / "trust/acme/repository/1.root.json");
  EXPECT_EQ(files(), (std::vector<std::string>{"1.root.json", "1.targets.json", "pending"}));
  EXPECT_TRUE(waiting().empty());
  EXPECT_EQ(names_in(dir.path() / "trust"), (std::vector<std::string>{"acme", "lock"}));
  EXPECT_EQ(names_in(dir.path() / "trust/acme/keys"), (std::vector<std::string>{"root-1", "targets-1"}));
  for (const char* private_name : {"keys", "keys/root-1"}) {
    struct stat status {};
    ASSERT_EQ(::stat((dir.path() / "trust/acme" / private_name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 077, 0) << private_name;
  }
  EXPECT_TRUE(store.trusts("acme")) << "its own machine trusts it";
  const OwnerRepository repository(store, "acme", Use::read);
  EXPECT_EQ(repository.root().content.version, 1);
  EXPECT_EQ(repository.targets().content.roles.size(), 1);
  EXPECT_EQ(repository.kept_signers().size(), 2);
  EXPECT_EQ(repository.free_key_name("root"), "root-2");
}

TEST_F(OwnerRepositoryTest, BeginsOnce) {
  create();
  EXPECT_NE(error_of([&] { create(); }, ErrorKind::conflict).find("there is a "), std::string::npos);
  TestOwner other("other");
  store.accept("other", {other.root_text()});
  owner = other;
  EXPECT_NE(error_of([&] { create(); }, ErrorKind::conflict), "no error") << "another's root is trusted here";
  EXPECT_NE(error_of([&] { OwnerRepository(store, "other", Use::read); }, ErrorKind::not_found), "no error");
}

TEST_F(OwnerRepositoryTest, LeavesNothingOfABeginningThatFailed) {
  Signers signers;
  signers.push_back(Signer::open("exec:exit 1"));
  EXPECT_NE(
      error_of([&] { OwnerRepository::create(store, owner.root, owner.targets, {owner.root_key}, signers); },
               ErrorKind::unavailable),
      "no error");
  EXPECT_EQ(names_in(dir.path() / "trust"), std::vector<std::string>{"lock"});
}

TEST_F(OwnerRepositoryTest, ChangesOneFileOrBoth) {
  create();
  OwnerRepository repository(store, "acme", Use::change);
  Targets targets = repository.targets().content;
  add_key(targets, {.role = "web", .key = Key::of(bob.public_key()), .paths = {"web-*"}});
  EXPECT_TRUE(repository.change({}, targets, repository.kept_signers()).complete);
  EXPECT_EQ(repository.targets().content.version, 2);

  // A new targets key: the root names it, and it signs targets.json from then on.
  const nix::SecretKey next = key("targets-2");
  repository.keep(next);
  Root root = repository.root().content;
  replace_key(root, "targets", root.targets.keyids[0], Key::of(next.public_key()));
  EXPECT_TRUE(repository.change(root, repository.targets().content, repository.kept_signers()).complete);
  const OwnerRepository again(store, "acme", Use::read);
  EXPECT_EQ(again.root().content.version, 2);
  EXPECT_EQ(again.targets().content.version, 3);
  EXPECT_EQ(again.targets().signatures.size(), 1);
  EXPECT_NO_THROW(require_next_root(again.roots()[0], again.roots()[1]));
}

TEST_F(OwnerRepositoryTest, CountsTargetsOnlyIfTheNewestRootsKeysSignedThem) {
  create();
  // What a change leaves that ended between its two files: signed by a key that no root names yet.
  Targets targets = owner.targets;
  targets.version = 2;
  write_file(dir.path() / "trust/acme/repository/2.targets.json",
             testing::signed_by(targets, {key("targets-2")}));
  OwnerRepository repository(store, "acme", Use::change);
  EXPECT_EQ(repository.targets().content.version, 1);
  EXPECT_TRUE(repository.change({}, repository.targets().content, repository.kept_signers()).complete);
  EXPECT_EQ(OwnerRepository(store, "acme", Use::read).targets().content.version, 2);
}

TEST_F(OwnerRepositoryTest, WaitsForTheOtherHoldersOfARootKey) {
  share();
  const ChangeOutcome begun = create();
  EXPECT_FALSE(begun.complete);
  EXPECT_EQ(begun.files[0].signatures, 1);
  EXPECT_EQ(begun.files[0].needed, 2);
  EXPECT_EQ(begun.files[0].lacking,
            std::vector<std::string>{describe_key(Key::of(bob.public_key()).id(), owner.root.keys)});
  EXPECT_FALSE(store.trusts("acme"));
  EXPECT_EQ(waiting(), (std::vector<std::string>{"1.root.json", "1.targets.json"}));

  OwnerRepository repository(store, "acme", Use::change);
  EXPECT_NE(error_of([&] { repository.root(); }, ErrorKind::conflict), "no error");
  EXPECT_NE(error_of([&] { repository.change({}, owner.targets, {}); }, ErrorKind::conflict)
                .find("a change of acme waits for signatures in"),
            std::string::npos);
  const Signed<Root> copy = signed_by_bob(begun.files[0].path);
  EXPECT_TRUE(repository.add_signatures_of(copy).complete);
  EXPECT_TRUE(store.trusts("acme"));
  EXPECT_TRUE(waiting().empty());
  EXPECT_EQ(repository.root().signatures.size(), 2);
}

TEST_F(OwnerRepositoryTest, WaitsForTheHoldersBeforeAndAfter) {
  share();
  const ChangeOutcome begun = create();
  OwnerRepository repository(store, "acme", Use::change);
  repository.add_signatures_of(signed_by_bob(begun.files[0].path));
  const nix::SecretKey carol = key("carol-1");
  Root root = repository.root().content;
  replace_key(root, "root", Key::of(owner.root_key.public_key()).id(), Key::of(carol.public_key()));
  const ChangeOutcome outcome = repository.change(root, {}, repository.kept_signers());
  EXPECT_EQ(outcome.files[0].signatures, 1) << "of the root before";
  EXPECT_EQ(outcome.files[0].needed, 4);
  EXPECT_EQ(outcome.files[0].lacking.size(), 2) << "bob counts for both, and carol for the new one";
  EXPECT_FALSE(
      repository.add_signatures_of(signed_by_bob(outcome.files[0].path, &repository.roots()[0])).complete);
  auto copy = Signed<Root>::parse(read_file(outcome.files[0].path), "root.json");
  Signers signers;
  signers.push_back(Signer::of(carol));
  sign(copy, &repository.roots()[0], signers);
  EXPECT_TRUE(repository.add_signatures_of(copy).complete);
  EXPECT_EQ(OwnerRepository(store, "acme", Use::read).root().content.version, 2);
}

TEST_F(OwnerRepositoryTest, CompletesAChangeThatWasEndedAfterItWasSigned) {
  create();
  const fs::path repository_directory = dir.path() / "trust/acme/repository";
  // A new targets key, and the two files that it takes: complete, and still where they were put first.
  const nix::SecretKey next = key("targets-2");
  Root root = owner.root;
  root.version = 2;
  replace_key(root, "targets", root.targets.keyids[0], Key::of(next.public_key()));
  Targets targets = owner.targets;
  targets.version = 2;
  write_file(repository_directory / "pending/2.root.json", testing::signed_by(root, {owner.root_key}));
  write_file(repository_directory / "pending/2.targets.json", testing::signed_by(targets, {next}));
  {
    const OwnerRepository reader(store, "acme", Use::read);
    EXPECT_EQ(reader.root().content.version, 2) << "it counts";
    EXPECT_EQ(reader.targets().content.version, 2);
    EXPECT_TRUE(reader.pending().empty());
    EXPECT_EQ(waiting().size(), 2) << "and reading moves nothing";
  }
  // Ended once more, between the two.
  fs::rename(repository_directory / "pending/2.targets.json", repository_directory / "2.targets.json");
  EXPECT_EQ(OwnerRepository(store, "acme", Use::read).targets().content.version, 2);
  OwnerRepository repository(store, "acme", Use::change);
  EXPECT_TRUE(waiting().empty());
  EXPECT_EQ(repository.root().content.version, 2);
  repository.keep(next);
  EXPECT_TRUE(repository.change({}, repository.targets().content, repository.kept_signers()).complete);
  EXPECT_EQ(repository.targets().content.version, 3);
}

TEST_F(OwnerRepositoryTest, BeginsAChangeAfterOneThatWasEndedBeforeItWasBegun) {
  create();
  const fs::path repository_directory = dir.path() / "trust/acme/repository";
  fs::create_directory(repository_directory / "pending.new");
  write_file(repository_directory / "pending.new/2.root.json", "{");
  write_file(repository_directory / "pending/2.root.json.a1b2c3",
             "{");                                            // of a signature that was being added
  write_file(dir.path() / "trust/acme/keys/.root-2", "roo");  // of a key that was being written
  OwnerRepository repository(store, "acme", Use::change);
  EXPECT_EQ(repository.kept_signers().size(), 2);
  const nix::SecretKey next = key("root-2");
  repository.keep(next);
  EXPECT_EQ(repository.kept_signers().size(), 3);
  EXPECT_NE(error_of([&] { repository.keep(next); }, ErrorKind::conflict), "no error");
  EXPECT_TRUE(
      repository.change(repository.root().content, repository.targets().content, repository.kept_signers())
          .complete);
  EXPECT_EQ(files(), (std::vector<std::string>{"1.root.json", "1.targets.json", "2.root.json",
                                               "2.targets.json", "pending"}));
}

TEST_F(OwnerRepositoryTest, RemovesWhatABeginningLeftThatWasEnded) {
  fs::create_directories(dir.path() / "trust/.acme.new-tmp.a1b2c3/keys");
  write_file(dir.path() / "trust/.acme.new-tmp.a1b2c3/root.json", owner.root_text());
  EXPECT_TRUE(store.owners().empty()) << "it is no owner";
  fs::create_directories(dir.path() / "trust/.other.new-tmp.a1b2c3");
  create();
  EXPECT_EQ(names_in(dir.path() / "trust"),
            (std::vector<std::string>{".other.new-tmp.a1b2c3", "acme", "lock"}));
}

TEST_F(OwnerRepositoryTest, KeepsAKeyThatAFileNames) {
  share();
  create();
  OwnerRepository repository(store, "acme", Use::change);
  const nix::SecretKey unused = key("root-2");
  repository.keep(unused);
  repository.discard_unless_named(unused.public_key());
  repository.discard_unless_named(owner.root_key.public_key());
  EXPECT_EQ(names_in(dir.path() / "trust/acme/keys"), (std::vector<std::string>{"root-1", "targets-1"}))
      << "what waits names it";
  repository.add_signatures_of(signed_by_bob(dir.path() / "trust/acme/repository/pending/1.root.json"));
  repository.discard_unless_named(owner.root_key.public_key());
  EXPECT_EQ(names_in(dir.path() / "trust/acme/keys"), (std::vector<std::string>{"root-1", "targets-1"}))
      << "what counts names it";
}

TEST_F(OwnerRepositoryTest, TakesNoSignatureThatIsNotValid) {
  share();
  const ChangeOutcome begun = create();
  OwnerRepository repository(store, "acme", Use::change);
  auto copy = signed_by_bob(begun.files[0].path);
  copy.signatures.back().bytes[0] ^= 1;
  EXPECT_FALSE(repository.add_signatures_of(copy).complete);
  EXPECT_EQ(Signed<Root>::parse(read_file(begun.files[0].path), "root.json").signatures.size(), 1);
  owner.root.expires += std::chrono::seconds(1);
  const auto other = Signed<Root>::parse(testing::signed_by(owner.root, {bob}), "root.json");
  EXPECT_NE(error_of([&] { repository.add_signatures_of(other); }, ErrorKind::not_found), "no error")
      << "it is not what waits here";
}

}  // namespace
}  // namespace flox::trust
