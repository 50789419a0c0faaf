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
    if (request.path.ends_with("/evidence")) {
      if (owner_.name_files.contains("packages/web"))
        return {.body = owner_.evidence("packages/web").to_json().dump()};
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
  publish_signed(acme, client_, build("1.1"), true);
  EXPECT_EQ(published_.version, 3U);
  EXPECT_EQ(published_.targets.size(), 1U);
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

TEST_F(SigningTest, signing_for_an_owner_who_is_not_trusted_here_is_refused) {
  EXPECT_EQ(refusal([&] { MetadataSigner("beta", signers_, store_, client_); }).kind(), ErrorKind::untrusted);
}

}  // namespace
}  // namespace flox::catalog
