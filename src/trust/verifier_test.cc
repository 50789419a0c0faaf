#include "trust/verifier.h"

#include <gtest/gtest.h>

#include "base/os/file.h"
#include "testing/error_of.h"
#include "testing/names_in.h"
#include "trust/testing/owner.h"

namespace flox::trust {
namespace {

using testing::add_role;
using testing::hello;
using testing::key;
using testing::signed_by;
using testing::TestOwner;

constexpr const char* not_delegated =
    "the name file of packages/hello is not signed by keys that acme has delegated it to";
constexpr const char* path = "2.12/x86_64-linux/any";

class VerifierTest : public ::testing::Test {
 protected:
  TempDir dir;
  TrustStore store{dir.path() / "trust", dir.path() / "state"};
  TestOwner owner;
  Time now = owner.now;
  Verifier verifier{store, [this] { return now; }};

  void SetUp() override {
    store.accept("acme", {owner.root_text()});
    owner.publish("packages/hello", {{path, hello().to_target()}});
    owner.publish("packages/other", {{path, hello().to_target()}});
    owner.publish("packages/third", {{path, hello().to_target()}});
  }
  Evidence evidence(const std::string& name = "packages/hello") { return owner.evidence(name); }
  Provenance verify(const Evidence& given) { return verifier.verify_package(given, hello()); }
  std::string refused(const Evidence& given, ErrorKind kind = ErrorKind::untrusted) {
    return error_of([&] { verify(given); }, kind);
  }
  std::string advice(const Evidence& given) {
    try {
      verify(given);
      return "no error";
    } catch (const Error& error) {
      return error.advice();
    }
  }
  EnvironmentRecord web(uint64_t generation, bool latest = true) {
    return {.owner = "acme",
            .name = "web",
            .generation = generation,
            .manifest = fmt::format("# {}\n", generation),
            .lock = "{}\n",
            .latest = latest};
  }
  void push(uint64_t generation) { owner.publish("environments/web", web(generation).to_targets()); }
  std::string refused(const Evidence& given, const EnvironmentRecord& record) {
    return error_of([&] { verifier.verify_environment(given, record); }, ErrorKind::untrusted);
  }
};

TEST_F(VerifierTest, SaysWhoHasSignedAPackage) {
  const Provenance provenance = verify(evidence());
  EXPECT_EQ(provenance.owner, "acme");
  EXPECT_EQ(provenance.role, "publishers");
  EXPECT_EQ(provenance.version, 1);
  EXPECT_EQ(provenance.expires, owner.timestamp.expires) << "the timestamp is the first to expire";
  ASSERT_EQ(provenance.signers.size(), 1);
  EXPECT_EQ(provenance.signers[0].name, "alice-1");
  EXPECT_EQ(provenance.to_string(),
            fmt::format("packages/hello version 1, signed by alice-1 ({}) (role publishers of acme)",
                        provenance.signers[0].keyid.substr(0, 8)));
  EXPECT_EQ(store.seen("acme"), (Seen{.timestamp = owner.timestamp.version, .targets = 1}));
  EXPECT_EQ(store.known("acme", "packages/hello").name_version, 1);
  EXPECT_EQ(verifier.verify_package_file(evidence(), "hello").file.targets.size(), 1);
}

TEST_F(VerifierTest, RefusesAnAnswerThatDiffersFromWhatIsSigned) {
  const Evidence good = evidence();
  for (auto change : std::vector<std::function<void(PackageRecord&)>>{
           [](PackageRecord& record) {
             record.outputs["out"] = "/nix/store/00000000000000000000000000000000-evil";
           },
           [](PackageRecord& record) { record.outputs["dev"] = record.outputs["out"]; },
           [](PackageRecord& record) { record.outputs.clear(); },
           [](PackageRecord& record) { record.version = "2.13"; },
           [](PackageRecord& record) { record.variant = "x86-64-v3"; },
           [](PackageRecord& record) { record.system = "aarch64-linux"; },
           [](PackageRecord& record) { record.name = "other"; }}) {
    PackageRecord record = hello();
    change(record);
    EXPECT_NE(error_of([&] { verifier.verify_package(good, record); }, ErrorKind::untrusted), "no error");
  }
}

TEST_F(VerifierTest, RefusesTheFileOfAnotherName) {
  Evidence mixed = evidence("packages/other");
  EXPECT_EQ(refused(mixed), "the catalog has sent a proof of packages/other instead of packages/hello");
  mixed.proof = evidence().proof;
  EXPECT_EQ(refused(mixed),
            "packages/hello of acme: the catalog has sent the file of packages/other instead");
}

TEST_F(VerifierTest, RefusesWhatNobodyWhoMayHasSigned) {
  const auto publish_with = [&](std::vector<nix::SecretKey> keys) {
    owner.publish("packages/hello", {{path, hello().to_target()}}, std::move(keys));
    return refused(evidence());
  };
  EXPECT_EQ(publish_with({key("alice-1")}), not_delegated);
  EXPECT_EQ(publish_with({owner.online_key, owner.targets_key, owner.root_key}), not_delegated);
  EXPECT_EQ(publish_with({owner.signing_key}), "no error");
}

TEST_F(VerifierTest, LetsAKeySignWithinItsPatternOnly) {
  const nix::SecretKey bob = key("bob-1");
  owner.targets.roles[0].paths = {"packages/o*"};
  owner.delegate("web", {"packages/web-*"}, {bob});
  ++owner.targets.version;
  EXPECT_EQ(refused(evidence()), not_delegated);
  EXPECT_EQ(advice(evidence()), "acme has delegated this name to nobody: flox trust add-key does.");
  owner.publish("packages/hello", {{path, hello().to_target()}}, {bob});
  EXPECT_EQ(refused(evidence()), not_delegated);
}

TEST_F(VerifierTest, WantsTheThresholdOfARole) {
  const nix::SecretKey bob = key("bob-1");
  owner.targets.roles.clear();
  owner.delegate("two", {"packages/*"}, {owner.signing_key, bob}, 2);
  ++owner.targets.version;
  EXPECT_EQ(refused(evidence()), not_delegated);
  EXPECT_EQ(advice(evidence()), "It may be signed by 2 of alice-1, bob-1 (role two).");
  owner.publish("packages/hello", {{path, hello().to_target()}}, {owner.signing_key, bob});
  EXPECT_EQ(verify(evidence()).signers.size(), 2);
}

TEST_F(VerifierTest, TriesRolesInTheirOrderUpToATerminatingOne) {
  const nix::SecretKey bob = key("bob-1");
  owner.targets.roles.insert(owner.targets.roles.begin(), owner.delegate("hello", {"packages/h*"}, {bob}));
  owner.targets.roles.pop_back();
  ++owner.targets.version;
  EXPECT_EQ(verify(evidence()).role, "publishers") << "bob's role does not keep it for itself";
  owner.targets.roles[0].terminating = true;
  ++owner.targets.version;
  EXPECT_EQ(refused(evidence()), not_delegated);
  EXPECT_EQ(advice(evidence()), "It may be signed by bob-1 (role hello).");
  owner.publish("packages/hello", {{path, hello().to_target()}}, {bob});
  EXPECT_EQ(verify(evidence()).role, "hello");
}

TEST_F(VerifierTest, CountsARevokedKeyNoMore) {
  verify(evidence());
  owner.targets.keys.clear();
  owner.targets.roles.clear();
  owner.delegate("publishers", {"packages/*"}, {key("alice-2")});
  ++owner.targets.version;
  ++owner.timestamp.version;
  EXPECT_EQ(refused(evidence()), not_delegated) << "also what was verified before";
}

TEST_F(VerifierTest, RefusesWhatHasExpired) {
  const Evidence good = evidence();
  now = owner.timestamp.expires - std::chrono::seconds(1);
  verify(good);
  now = owner.timestamp.expires;
  EXPECT_NE(refused(good).find("timestamp.json of acme"), std::string::npos)
      << "also what was verified before";
  owner.timestamp.expires = now + std::chrono::days(2'000);
  now = owner.targets.expires;
  EXPECT_NE(refused(evidence()).find("root.json of acme: version 1 expired at"), std::string::npos);
  now = owner.now;
  owner.targets.expires = now;
  EXPECT_NE(refused(evidence()).find("targets.json of acme: version 1 expired at"), std::string::npos);
  owner.targets.expires = now + std::chrono::days(1);
  NameFile file;
  owner.head(file);
  file.name = "packages/hello";
  file.version = 2;
  file.expires = now;
  file.targets = {{path, hello().to_target()}};
  owner.put(file, signed_by(file, {owner.signing_key}));
  EXPECT_NE(refused(evidence()).find("packages/hello of acme: version 2 expired at"), std::string::npos);
}

TEST_F(VerifierTest, RefusesWhatIsOlderThanWhatWasSeen) {
  const Evidence old = evidence();
  owner.publish("packages/hello", {{path, hello().to_target()}});
  verify(evidence());
  EXPECT_EQ(
      refused(old),
      fmt::format("timestamp.json of acme: version {} is older than version {}, which was seen here before",
                  owner.timestamp.version - 1, owner.timestamp.version));
  // Another process, on the same machine.
  Verifier another(store, [this] { return now; });
  EXPECT_NE(error_of([&] { another.verify_package(old, hello()); }, ErrorKind::untrusted), "no error");
}

TEST_F(VerifierTest, RefusesANameThatGoesBackUnderANewTimestamp) {
  // The catalog's online key alone is in the wrong hands: it signs any tree.
  const std::string first = owner.name_files["packages/hello"];
  const Leaf leaf = owner.tree.leaves().at("packages/hello");
  owner.publish("packages/hello", {{path, hello().to_target()}});
  verify(evidence());
  owner.name_files["packages/hello"] = first;
  owner.tree.put(leaf);
  ++owner.timestamp.version;
  EXPECT_EQ(refused(evidence()),
            "packages/hello of acme: version 1 is older than version 2, which was seen here before");
}

TEST_F(VerifierTest, RefusesAnOldFileUnderTheNewestTimestamp) {
  const std::string first = owner.name_files["packages/hello"];
  owner.publish("packages/hello", {{path, hello().to_target()}});
  Evidence mixed = evidence();
  mixed.name_file = first;
  EXPECT_EQ(refused(mixed), "packages/hello of acme: the catalog has sent version 1, and the newest is 2");
  // The same version, signed twice: only the one in the tree counts.
  NameFile file;
  owner.head(file);
  file.name = "packages/hello";
  file.version = 2;
  file.targets = {{path, hello().to_target()}};
  file.expires += std::chrono::seconds(1);
  mixed.name_file = signed_by(file, {owner.signing_key});
  EXPECT_EQ(refused(mixed),
            "packages/hello of acme: its file is not the one that the timestamp names for version 2");
}

TEST_F(VerifierTest, RefusesDelegationsOtherThanTheTimestampNames) {
  Evidence mixed = evidence();
  ++owner.targets.version;
  mixed.targets = evidence().targets;
  EXPECT_EQ(refused(mixed), "targets.json of acme: version 2 is not version 1, which the timestamp names");
}

TEST_F(VerifierTest, RefusesKeysOfOtherRoles) {
  Evidence forged = evidence();
  forged.targets = signed_by(owner.targets, {owner.online_key, owner.signing_key});
  EXPECT_NE(
      refused(forged).find("targets.json of acme version 1: 0 of the 1 signatures that role targets needs"),
      std::string::npos);
  forged = evidence();
  forged.timestamp = signed_by(owner.timestamp, {owner.targets_key, owner.signing_key});
  EXPECT_NE(refused(forged).find("0 of the 1 signatures that role timestamp needs"), std::string::npos);
}

TEST_F(VerifierTest, FollowsTheChainThatTheCatalogSends) {
  verify(evidence());
  const nix::SecretKey before = owner.root_key;
  owner.root_key = key("root-2");
  owner.online_key = key("catalog-2");
  owner.root.keys.clear();
  owner.root.root = add_role(owner.root.keys, {owner.root_key});
  owner.root.targets = add_role(owner.root.keys, {owner.targets_key});
  owner.root.snapshot = owner.root.timestamp = add_role(owner.root.keys, {owner.online_key});
  owner.root.version = 2;
  // Who had the old key may have signed a version that is never reached: with a new key they are counted
  // anew.
  EXPECT_EQ(store.seen("acme").timestamp, owner.timestamp.version);
  owner.timestamp.version = 1;
  Evidence next = evidence();
  EXPECT_NE(refused(next).find("0 of the 1 signatures that role timestamp needs"), std::string::npos)
      << "the key is new";
  next.roots = {signed_by(owner.root, {owner.root_key})};
  EXPECT_NE(refused(next).find("root of version 1 needs"), std::string::npos) << "it is not of the chain";
  next.roots = {signed_by(owner.root, {before, owner.root_key})};
  EXPECT_EQ(verify(next).version, 1);
  EXPECT_EQ(store.root_version("acme"), 2);
  EXPECT_EQ(store.seen("acme").timestamp, 1);
  next.roots.clear();
  EXPECT_EQ(verify(next).version, 1);
}

TEST_F(VerifierTest, AsksForARootOnlyWhereTheTimestampNamesANewerOne) {
  std::vector<uint64_t> asked;
  Verifier asking(
      store, [this] { return now; }, true,
      [&](const std::string& of, uint64_t version) -> std::optional<std::string> {
        EXPECT_EQ(of, "acme");
        asked.push_back(version);
        if (version != owner.root.version) return std::nullopt;
        return owner.root_text();
      });
  Evidence given = evidence();
  given.roots = {"what the evidence says of roots is not looked at"};
  for (int times = 0; times < 2; ++times) asking.verify_package(given, hello());
  EXPECT_TRUE(asked.empty());
  ++owner.root.version;
  for (int times = 0; times < 2; ++times) asking.verify_package(evidence(), hello());
  EXPECT_EQ(asked, std::vector<uint64_t>{2});
  EXPECT_EQ(store.root_version("acme"), 2);
}

TEST_F(VerifierTest, RecoversFromAVersionThatNobodyReaches) {
  // Who has the online key and a publisher's has shown a file of a version with no next one.
  const MerkleTree tree = owner.tree;
  const auto files = owner.name_files;
  NameFile far;
  owner.head(far);
  far.name = "packages/hello";
  far.version = uint64_t{1} << 53;
  far.targets = {{path, hello().to_target()}};
  owner.put(far, signed_by(far, {owner.signing_key}));
  verify(evidence());
  owner.tree = tree;
  owner.name_files = files;
  // A new publisher's key alone brings the name back nowhere; with a new online key it counts anew.
  owner.targets.roles.clear();
  owner.targets.keys.clear();
  owner.signing_key = key("alice-2");
  owner.delegate("publishers", {"packages/*"}, {owner.signing_key});
  ++owner.targets.version;
  owner.publish("packages/hello", {{path, hello().to_target()}});
  EXPECT_NE(
      refused(evidence()).find("packages/hello of acme: version 2 is older than version 9007199254740992"),
      std::string::npos);
  owner.online_key = key("catalog-2");
  owner.root.snapshot = owner.root.timestamp = add_role(owner.root.keys, {owner.online_key});
  ++owner.root.version;
  Evidence next = evidence();
  next.roots = {owner.root_text()};
  Verifier reader(
      store, [this] { return now; }, false);
  EXPECT_EQ(reader.verify_package(next, hello()).version, 2) << "also for who writes nothing down";
  EXPECT_EQ(verify(next).version, 2);
  EXPECT_EQ(store.known("acme", "packages/hello").name_version, 2);
}

TEST_F(VerifierTest, RecoversFromATargetsKeyInTheWrongHands) {
  // The thief delegates everything to a key of their own, in a version with no next one.
  const Targets before = owner.targets;
  const nix::SecretKey thief = key("thief-1");
  owner.targets.roles.clear();
  owner.targets.keys.clear();
  owner.delegate("publishers", {"packages/*", "environments/*"}, {thief});
  owner.targets.version = uint64_t{1} << 53;
  owner.publish("packages/hello", {{path, hello().to_target()}}, {thief});
  EXPECT_EQ(verify(evidence()).signers[0].name, "thief-1") << "that is what the key is for";
  // Not the root, and not the timestamp: those the owner replaces the key with.
  owner.targets_key = key("targets-2");
  owner.root.targets = add_role(owner.root.keys, {owner.targets_key});
  ++owner.root.version;
  owner.targets = before;
  owner.targets.version = 2;
  owner.publish("packages/hello", {{path, hello().to_target()}});
  Evidence next = evidence();
  next.roots = {owner.root_text()};
  EXPECT_EQ(verify(next).signers[0].name, "alice-1");
  EXPECT_EQ(store.seen("acme").targets, 2);
  Evidence old = evidence();
  owner.targets.version = uint64_t{1} << 53;
  old.targets = signed_by(owner.targets, {key("targets-1")});
  EXPECT_NE(refused(old).find("0 of the 1 signatures that role targets needs"), std::string::npos);
}

TEST_F(VerifierTest, AClockThatIsSetBackBringsNoOldVersionBack) {
  const Evidence old = evidence();
  now += std::chrono::hours(30);
  EXPECT_NE(refused(old).find("timestamp.json of acme"), std::string::npos);
  owner.timestamp.expires = now + default_timestamp_life;
  owner.publish("packages/hello", {{path, hello().to_target()}});
  verify(evidence());
  now = owner.now;  // at which the old answer is valid
  EXPECT_NE(refused(old).find("was seen here before"), std::string::npos);
  EXPECT_EQ(verify(evidence()).version, 2);
}

TEST_F(VerifierTest, SaysWhichVersionIsTheNewestAlsoIfItsFileCountsNoMore) {
  owner.publish("packages/hello", {{path, hello().to_target()}}, {key("stranger-1")});
  EXPECT_EQ(verifier.newest_version(evidence(), "packages/hello"), 2);
  EXPECT_NE(error_of([&] { verifier.verify_name(evidence(), "packages/hello"); }, ErrorKind::untrusted),
            "no error");
  EXPECT_EQ(verifier.verify_name(evidence("packages/other"), "packages/other").file.version, 1);
  Evidence forged = evidence();
  owner.online_key = key("catalog-1");
  forged.timestamp = evidence().timestamp;
  EXPECT_NE(error_of([&] { verifier.newest_version(forged, "packages/hello"); }, ErrorKind::untrusted),
            "no error");
}

TEST_F(VerifierTest, AsksForRootsThatTheTimestampNamesAndTheCatalogHasNotSent) {
  ++owner.root.version;  // with the same keys
  EXPECT_EQ(refused(evidence(), ErrorKind::unavailable),
            "root.json of acme: the timestamp names version 2, and the catalog has sent none above 1");
}

TEST_F(VerifierTest, RefusesAnOwnerThatIsNotTrustedOrNotForThis) {
  TestOwner stranger("stranger");
  stranger.publish("packages/hello", {{path, hello().to_target()}});
  EXPECT_NE(refused(stranger.evidence("packages/hello")).find("the owner 'stranger' is not trusted"),
            std::string::npos);
  store.accept("acme", {owner.root_text()}, {"web-*"});
  EXPECT_EQ(refused(evidence()), "the owner 'acme' is not trusted for the package hello");
}

TEST_F(VerifierTest, KeepsOwnersApartThatUseTheSameKeys) {
  TestOwner twin = owner;
  twin.owner = twin.root.owner = "twin";
  twin.targets.owner = twin.timestamp.owner = "twin";
  store.accept("twin", {twin.root_text()});
  Evidence crossed = evidence();
  crossed.owner = "twin";
  EXPECT_EQ(refused(crossed), "targets.json: it is of the owner 'acme', not of 'twin'");
  crossed.targets = twin.evidence("packages/hello").targets;
  EXPECT_EQ(refused(crossed), "timestamp.json: it is of the owner 'acme', not of 'twin'");
  crossed.timestamp = twin.evidence("packages/hello").timestamp;
  EXPECT_EQ(refused(crossed), "packages/hello: it is of the owner 'acme', not of 'twin'");
}

TEST_F(VerifierTest, VerifiesEnvironmentsAndTheirGenerations) {
  push(1);
  const std::string first = owner.name_files["environments/web"];
  push(2);
  const Evidence latest = owner.evidence("environments/web");
  EXPECT_EQ(verifier.verify_environment(latest, web(2)).to_string().substr(0, 26),
            "environments/web version 2");
  EXPECT_EQ(refused(latest, web(1)),
            "environment acme/web: the answer is called generation 1, and generation 2 is signed");
  EnvironmentRecord changed = web(2);
  changed.manifest += "[hook]\n";
  EXPECT_EQ(refused(latest, changed),
            "environment acme/web generation 2: its manifest.toml is not what acme has signed");
  changed = web(2);
  changed.lock = "{ }\n";
  EXPECT_EQ(refused(latest, changed),
            "environment acme/web generation 2: its manifest.lock is not what acme has signed");
  changed = web(2);
  changed.owner = "other";
  EXPECT_EQ(refused(latest, changed), "environment other/web: the catalog has sent what 'acme' has signed");
  Evidence older = latest;
  older.name_file = first;
  EXPECT_EQ(refused(older, web(1)),
            "environments/web of acme: the catalog has sent version 1, and the newest is 2")
      << "the latest was asked for";
  EXPECT_EQ(verifier.verify_environment(older, web(1, false)).version, 1) << "this one was asked for";
  EXPECT_EQ(refused(latest, web(1, false)),
            "environments/web of acme: the catalog has sent generation 2 instead of 1");
}

TEST_F(VerifierTest, RemembersNoVersionThatOnlyTheOnlineKeyHasSigned) {
  push(1);
  const std::string first = owner.name_files["environments/web"];
  push(2);
  Leaf leaf = owner.tree.leaves().at("environments/web");
  leaf.version = 1'000'000;
  owner.tree.put(leaf);
  Evidence older = owner.evidence("environments/web");
  older.name_file = first;
  verifier.verify_environment(older, web(1, false));
  EXPECT_EQ(store.known("acme", "environments/web").name_version, 1);
}

TEST_F(VerifierTest, SaysThatAVersionIsYanked) {
  Target target = hello().to_target();
  target.yanked = "it breaks";
  owner.publish("packages/hello", {{path, target}});
  EXPECT_EQ(verify(evidence()).yanked, "it breaks");
}

TEST_F(VerifierTest, WritesNothingForCommandsThatOnlyRead) {
  Verifier reader(
      store, [this] { return now; }, false);
  reader.verify_package(evidence(), hello());
  EXPECT_FALSE(fs::exists(dir.path() / "state"));
}

TEST_F(VerifierTest, RefusesEvidenceOfAnotherForm) {
  const nlohmann::json good = evidence().to_json();
  EXPECT_EQ(Evidence::from_json(good).to_json(), good);
  for (const char* member : {"owner", "roots", "targets", "timestamp", "proof", "name_file"}) {
    nlohmann::json bad = good;
    bad.erase(member);
    EXPECT_EQ(error_of([&] { Evidence::from_json(bad); }),
              fmt::format("the evidence: member '{}' is missing", member));
    bad[member] = 7;
    EXPECT_NE(error_of([&] { Evidence::from_json(bad); }), "no error");
  }
  Evidence broken = evidence();
  broken.name_file = "{";
  EXPECT_NE(refused(broken, ErrorKind::invalid_input), "no error");
}

TEST_F(VerifierTest, SaysOfAnOwnerWithoutANameWhatItWouldSayOfEach) {
  Evidence all = evidence();
  all.proof = all.name_file = "";
  EXPECT_EQ(verifier.verify_owner(all).timestamp.version, owner.timestamp.version);
  EXPECT_EQ(store.seen("acme"), Seen()) << "nothing was taken from it";
  store.remember("acme", 1, {.timestamp = owner.timestamp.version + 1, .targets = 1}, "packages/hello", 1);
  EXPECT_NE(error_of([&] { verifier.verify_owner(all); }, ErrorKind::untrusted).find("was seen here before"),
            std::string::npos);
}

}  // namespace
}  // namespace flox::trust
