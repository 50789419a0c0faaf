#include "catalog/signing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/net/server/http_server.h"
#include "base/os/file.h"
#include "trust/testing/owner.h"

namespace flox::catalog {
namespace {

using testing::HasSubstr;
using trust::testing::TestOwner;

PackageBuild build(std::string version, char digit = '0') {
  PackageBuild made;
  made.name = "web";
  made.owner = "acme";
  made.version = std::move(version);
  made.system = "x86_64-linux";
  made.outputs.emplace("out", nix::StorePath::from_base_name(std::string(32, digit) + "-web"));
  return made;
}

// A catalog that knows one owner, and takes a publication if it comes in time.
class SigningTest : public testing::Test {
 protected:
  SigningTest() {
    owner_.now = trust::now();
    for (trust::Header* header : std::initializer_list<trust::Header*>{&owner_.root, &owner_.targets})
      owner_.head(*header);
    owner_.head(owner_.timestamp);
    store_.accept("acme", {owner_.root_text()});
    hold(owner_.signing_key);
  }
  void hold(const nix::SecretKey& key) {
    signers_.clear();
    signers_.push_back(trust::Signer::of(key));
  }
  void publish(const std::vector<PackageBuild>& builds) {
    std::map<std::string, trust::Target> targets;
    for (const auto& one : builds) targets.emplace(record_of(one).target_path(), record_of(one).to_target());
    owner_.publish("packages/web", targets);
  }
  ServerResponse answer(const ServerRequest& request) {
    if (!knows_owner_) return {.status = 404};
    if (request.path.ends_with("/evidence")) {
      const std::string& name = request.query.at("name");
      if (owner_.name_files.contains(name)) return {.body = owner_.evidence(name).to_json().dump()};
      publish({});  // for a timestamp of an empty tree it needs one name
      trust::Evidence evidence = owner_.evidence("packages/web");
      owner_.name_files.clear();
      owner_.tree = {};
      evidence.proof.clear();
      evidence.name_file.clear();
      return {.body = evidence.to_json().dump()};
    }
    if (request.method == "POST") {
      if (lost_races_ > 0) {
        --lost_races_;
        publish({build("0." + std::to_string(lost_races_))});  // somebody else was quicker
        return {.status = 409, .body = "{}"};
      }
      published_ = trust::Signed<trust::NameFile>::parse(
                       nlohmann::json::parse(request.body).at("name_file").get<std::string>(), "name file")
                       .content;
      return {.status = 201, .body = "{}"};
    }
    return {.status = 404};
  }
  MetadataSigner signer() { return MetadataSigner("acme", signers_, store_, client_); }
  Error refusal(const std::function<void()>& call) {
    try {
      call();
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "not refused";
    return Error(ErrorKind::internal, "");
  }

  TempDir dir_;
  TestOwner owner_;
  trust::TrustStore store_{dir_.path() / "trust", dir_.path() / "state"};
  MetadataSigner::Signers signers_;
  int lost_races_ = 0;
  bool knows_owner_ = true;
  trust::NameFile published_;
  HttpServer server_{{}, [this](const ServerRequest& request) { return answer(request); }};
  Client client_{fmt::format("http://127.0.0.1:{}", server_.port()), Secret("token")};
};

TEST_F(SigningTest, a_build_is_added_to_what_is_signed_of_the_package) {
  auto acme = signer();
  publish_signed(acme, client_, build("1.0"));
  EXPECT_EQ(published_.version, 1U);
  EXPECT_EQ(published_.targets.size(), 1U);
  publish({build("1.0")});
  publish_signed(acme, client_, build("1.1", '1'));
  EXPECT_EQ(published_.version, 2U);
  EXPECT_EQ(published_.targets.size(), 2U);
}

TEST_F(SigningTest, of_publishers_that_race_the_slower_one_signs_anew_what_the_other_has_added) {
  publish({build("0.9")});
  lost_races_ = 2;
  auto acme = signer();
  publish_signed(acme, client_, build("1.0"));
  EXPECT_EQ(published_.version, 4U);
  EXPECT_TRUE(published_.targets.contains("0.0/x86_64-linux/any"));
  EXPECT_TRUE(published_.targets.contains("1.0/x86_64-linux/any"));
}

TEST_F(SigningTest, what_the_owner_has_not_signed_is_not_signed_again) {
  publish({build("1.0")});
  trust::NameFile forged;
  owner_.head(forged);
  forged.name = "packages/web";
  forged.version = 2;
  forged.targets.emplace(record_of(build("6.6.6")).target_path(), record_of(build("6.6.6")).to_target());
  owner_.put(forged, trust::testing::signed_by(forged, {owner_.online_key}));
  auto acme = signer();
  const Error error = refusal([&] { publish_signed(acme, client_, build("1.1")); });
  EXPECT_EQ(error.kind(), ErrorKind::untrusted);
  EXPECT_THAT(error.advice(), HasSubstr("--start-over"));
  // Only what is published now, then.
  publish_signed(acme, client_, build("1.1"), {.start_over = true});
  EXPECT_EQ(published_.version, 3U);
  EXPECT_EQ(published_.targets.size(), 1U);
}

// To start over would lose all that is signed.
TEST_F(SigningTest, of_a_catalog_that_goes_back_or_has_another_key_the_cause_is_to_be_found) {
  publish({build("1.0")});
  auto acme = signer();
  store_.remember("acme", 1, {.timestamp = owner_.timestamp.version + 1, .targets = 1}, "packages/web", 1);
  Error error = refusal([&] { publish_signed(acme, client_, build("1.1")); });
  EXPECT_THAT(error.what(), HasSubstr("what is signed of web so far: "));
  EXPECT_THAT(error.advice(), HasSubstr("Find out why the catalog goes back"));
  error = refusal([&] { remove_signed(acme, client_, "web", {"1.0/x86_64-linux/any"}); });
  EXPECT_THAT(error.advice(), HasSubstr("Find out why the catalog goes back"));
  ++owner_.timestamp.version;
  owner_.online_key = trust::testing::key("catalog-2");
  auto again = signer();
  error = refusal([&] { publish_signed(again, client_, build("1.1")); });
  EXPECT_THAT(error.advice(), HasSubstr("flox trust rotate acme timestamp"));
  EXPECT_THAT(error.advice(), testing::Not(HasSubstr("--start-over")));
}

TEST_F(SigningTest, an_expired_file_is_what_one_starts_over_from) {
  trust::NameFile old;
  owner_.head(old);
  old.name = "packages/web";
  old.expires = trust::now() - std::chrono::hours(1);
  old.targets.emplace(record_of(build("1.0")).target_path(), record_of(build("1.0")).to_target());
  owner_.put(old, trust::testing::signed_by(old, {owner_.signing_key}));
  auto acme = signer();
  const Error error = refusal([&] { publish_signed(acme, client_, build("1.1")); });
  EXPECT_THAT(error.advice(), HasSubstr("--start-over"));
}

TEST_F(SigningTest, an_owner_whom_the_catalog_does_not_have_is_published_first) {
  knows_owner_ = false;
  auto acme = signer();
  EXPECT_EQ(refusal([&] { publish_signed(acme, client_, build("1.0")); }).advice(),
            "Run 'flox trust publish acme'.");
}

TEST_F(SigningTest, a_version_is_yanked_whole_and_stays_so_when_others_are_published) {
  PackageBuild variant = build("1.0", '2');
  variant.variant = "x86-64-v3";
  publish({build("1.0"), variant, build("1.0.1", '1')});
  auto acme = signer();
  const auto file = acme.sign_yank("web", "1.0", "it leaks");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->version, 2U);
  const auto targets = trust::Signed<trust::NameFile>::parse(file->text, "name file").content.targets;
  EXPECT_EQ(targets.at("1.0/x86_64-linux/any").yanked, "it leaks");
  EXPECT_EQ(targets.at("1.0/x86_64-linux/x86-64-v3").yanked, "it leaks");
  EXPECT_FALSE(targets.at("1.0.1/x86_64-linux/any").yanked);
  owner_.publish("packages/web", targets);
  EXPECT_FALSE(acme.sign_yank("web", "1.0", "it leaks"));  // so it is already
  publish_signed(acme, client_, build("1.1", '3'));
  EXPECT_EQ(published_.targets.at("1.0/x86_64-linux/any").yanked, "it leaks");
  EXPECT_EQ(refusal([&] { acme.sign_yank("web", "7", "x"); }).kind(), ErrorKind::not_found);
}

TEST_F(SigningTest, builds_are_taken_out_but_never_all) {
  publish({build("1.0"), build("1.1", '1')});
  auto acme = signer();
  const auto file = acme.sign_removal("web", {"1.0/x86_64-linux/any"});
  ASSERT_TRUE(file);
  EXPECT_EQ(trust::Signed<trust::NameFile>::parse(file->text, "name file").content.targets.size(), 1U);
  EXPECT_FALSE(acme.sign_removal("web", {"7/x86_64-linux/any"}));
  EXPECT_EQ(refusal([&] {
              acme.sign_removal("web", {"1.0/x86_64-linux/any", "1.1/x86_64-linux/any"});
            }).kind(),
            ErrorKind::invalid_input);
}

TEST_F(SigningTest, a_signed_version_never_changes) {
  publish({build("1.0")});
  auto acme = signer();
  EXPECT_EQ(refusal([&] { publish_signed(acme, client_, build("1.0", '1')); }).kind(), ErrorKind::conflict);
}

TEST_F(SigningTest, who_lacks_the_right_is_told_whom_to_ask) {
  hold(nix::SecretKey::generate("mallory-1"));
  auto acme = signer();
  const Error error = refusal([&] { publish_signed(acme, client_, build("1.0")); });
  EXPECT_EQ(error.kind(), ErrorKind::untrusted);
  EXPECT_THAT(error.what(), HasSubstr("acme has not delegated packages/web to key 'mallory-1'"));
  EXPECT_THAT(error.advice(), HasSubstr("alice-1"));
}

TEST_F(SigningTest, keys_on_several_machines_sign_one_after_the_other) {
  const auto bob = nix::SecretKey::generate("bob-1");
  owner_.targets.roles.clear();
  owner_.delegate("release", {"packages/*"}, {owner_.signing_key, bob}, 2);
  auto alice = signer();
  const Error error = refusal([&] { publish_signed(alice, client_, build("1.0")); });
  EXPECT_THAT(error.what(), HasSubstr("packages/web version 1 of acme has 1 of the 2 signatures"));
  EXPECT_THAT(error.advice(), HasSubstr("--prepare"));
  const auto prepared = alice.prepare_build(build("1.0"));
  EXPECT_EQ(prepared.state.signatures, 1U);
  const std::string text = prepared.file.to_string();
  EXPECT_EQ(refusal([&] { publish_joined(alice, client_, build("1.0"), {text}); }).kind(),
            ErrorKind::untrusted);

  // On bob's machine.
  hold(bob);
  auto copy = trust::Signed<trust::NameFile>::parse(text, "file");
  auto at_bob = signer();
  const auto review = at_bob.review(copy.content);
  ASSERT_EQ(review.changes.size(), 1U);
  EXPECT_THAT(review.changes[0], HasSubstr("+ 1.0/x86_64-linux/any: out /nix/store/"));
  copy.signatures.clear();
  trust::sign(copy, review.targets, signers_);

  // Back at alice's, whose own signature is in the other copy.
  signers_.clear();
  auto again = signer();
  const Error other = refusal([&] {
    publish_joined(again, client_, build("1.0", '1'), {text, copy.to_string()});
  });
  EXPECT_THAT(other.what(), HasSubstr("does not list web 1.0/x86_64-linux/any as it is here"));
  publish_joined(again, client_, build("1.0"), {text, copy.to_string()});
  EXPECT_EQ(published_.version, 1U);
  // Once more, because the answer was lost.
  owner_.put(published_, trust::testing::signed_by(published_, {owner_.signing_key, bob}));
  published_ = {};
  publish_joined(again, client_, build("1.0"), {text, copy.to_string()});
  EXPECT_EQ(published_.version, 1U) << "nothing was published: it is there";
}

TEST_F(SigningTest, a_prepared_file_that_somebody_was_quicker_than_is_not_signed) {
  publish({build("1.0")});
  auto acme = signer();
  const auto prepared = acme.prepare_build(build("1.1", '1'));
  publish({build("1.0"), build("1.0.1", '2')});
  const Error error = refusal([&] { acme.review(prepared.file.content); });
  EXPECT_EQ(error.kind(), ErrorKind::conflict);
  EXPECT_THAT(
      error.what(),
      HasSubstr("packages/web of acme is at version 2 in the catalog, and version 2 is not the next"));
}

TEST_F(SigningTest, what_a_file_takes_away_or_changes_is_said) {
  trust::NameFile before, after;
  before.name = after.name = "packages/web";
  for (const auto& one : {build("1.0"), build("1.1"), build("1.2")})
    before.targets.emplace(record_of(one).target_path(), record_of(one).to_target());
  for (const auto& one : {build("1.0"), build("1.1", '1')})
    after.targets.emplace(record_of(one).target_path(), record_of(one).to_target());
  const auto changes = changes_of(after, &before);
  ASSERT_EQ(changes.size(), 3U);
  EXPECT_THAT(changes[0], HasSubstr("- 1.1/x86_64-linux/any: out /nix/store/0000"));
  EXPECT_THAT(changes[1], HasSubstr("+ 1.1/x86_64-linux/any: out /nix/store/1111"));
  EXPECT_THAT(changes[2], HasSubstr("- 1.2/x86_64-linux/any"));
}

TEST_F(SigningTest, no_generation_is_signed_but_the_next_one) {
  const auto lock = env::Lockfile::parse(R"({"lockfile-version":1,"manifest":{},"packages":[]})");
  owner_.publish(
      "environments/site",
      {{"manifest.toml", {.length = 1, .sha256 = std::string(64, '0'), .outputs = {}, .yanked = {}}}});
  auto acme = signer();
  // What somebody between us and the catalog calls the latest.
  const Error error = refusal([&] { acme.prepare_generation("site", int64_t{1} << 52, "m", lock); });
  EXPECT_EQ(error.kind(), ErrorKind::conflict);
  EXPECT_THAT(error.what(), HasSubstr("environments/site of acme is at version 1 in the catalog"));
  EXPECT_EQ(acme.prepare_generation("site", 2, "m", lock).file.content.version, 2U);
}

TEST_F(SigningTest, a_package_with_more_builds_than_a_file_holds_keeps_its_newest_versions) {
  std::vector<PackageBuild> builds;
  for (int i = 0; i < 5'000; ++i) builds.push_back(build(fmt::format("1.{}", i)));
  publish(builds);
  auto acme = signer();
  const Error error = refusal([&] { publish_signed(acme, client_, build("1.5000")); });
  EXPECT_EQ(error.kind(), ErrorKind::invalid_input);
  EXPECT_THAT(error.what(), HasSubstr("packages/web of acme lists 5001 builds"));
  EXPECT_THAT(error.advice(), HasSubstr("--keep-versions"));
  publish_signed(acme, client_, build("1.5000"), {.keep_versions = 100});
  EXPECT_EQ(published_.targets.size(), 100U);
  EXPECT_TRUE(published_.targets.contains("1.4901/x86_64-linux/any"));
  EXPECT_FALSE(published_.targets.contains("1.4900/x86_64-linux/any"));
  EXPECT_TRUE(published_.targets.contains("1.5000/x86_64-linux/any"));
  // A correction of an old line is listed, however old it is.
  publish_signed(acme, client_, build("0.1"), {.keep_versions = 2});
  EXPECT_EQ(published_.targets.size(), 2U);
  EXPECT_TRUE(published_.targets.contains("0.1/x86_64-linux/any"));
  EXPECT_TRUE(published_.targets.contains("1.4999/x86_64-linux/any"));
}

TEST_F(SigningTest, signing_for_an_owner_who_is_not_trusted_here_is_refused) {
  EXPECT_EQ(refusal([&] { MetadataSigner("beta", signers_, store_, client_); }).kind(), ErrorKind::untrusted);
}

}  // namespace
}  // namespace flox::catalog
