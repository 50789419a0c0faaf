#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "server/testing/api.h"
#include "server/testing/records.h"

namespace flox::server {
namespace {

using nlohmann::json;
using trust::testing::signed_by;
using trust::testing::TestOwner;

class TrustRoutesTest : public ApiCallTest {
 protected:
  void put_files(const TestOwner& owner, const std::string& token) {
    put("/api/v1/trust/" + owner.owner + "/root", owner.root_text(), token);
    put("/api/v1/trust/" + owner.owner + "/targets", signed_by(owner.targets, {owner.targets_key}), token);
  }
  // A record of web 1.0 for the owner, with what it has signed; empty owner: unsigned.
  json record(const TestOwner* owner, uint64_t version = 1) {
    catalog::PackageBuild made = build("web", "1.0");
    made.outputs = {{"out", path('0')}};
    made.signer = "k";
    if (owner == nullptr) return made.to_json();
    made.owner = owner->owner;
    const trust::PackageRecord record = catalog::record_of(made);
    trust::NameFile file;
    owner->head(file);
    file.name = trust::package_name("web");
    file.version = version;
    file.targets = {{record.target_path(), record.to_target()}};
    json body = made.to_json();
    body["name_file"] = signed_by(file, {owner->signing_key});
    return body;
  }
  json publish(const json& body, const std::string& token) {
    return ask("POST", "/api/v1/catalog/packages/web/builds", token, body);
  }
  json resolved(const std::string& token) {
    return ask("POST", "/api/v1/catalog/resolve", token,
               {{"items",
                 {{{"name", "toplevel"},
                   {"descriptors",
                    {{{"install_id", "web"}, {"attr_path", "web"}, {"systems", {"x86_64-linux"}}}}}}}}});
  }

  TestOwner beta_{"beta"};
};

TEST_F(TrustRoutesTest, the_operators_first_root_makes_the_owner_and_only_its_admins_put_the_next) {
  put_files(acme_, "secret");
  EXPECT_TRUE(accounts_.owners.find("acme").has_value());
  trust::Root next = acme_.root;
  next.version = 2;
  const std::string text = signed_by(next, {acme_.root_key});
  make_owner("beta");
  for (const auto& token : {std::string(), token_of("acme"), token_of("beta", "admin")})
    EXPECT_EQ(refusal([&] { put("/api/v1/trust/acme/root", text, token); }), ErrorKind::untrusted);
  put("/api/v1/trust/acme/root", text, token_of("acme", "admin"));
  EXPECT_EQ(ask("GET", "/api/v1/trust/acme/root", "").at("signed").at("version"), 2);
  EXPECT_EQ(refusal([&] { put("/api/v1/trust/acme/root", std::string((1 << 20) + 1, ' '), "secret"); }),
            ErrorKind::invalid_input);
}

TEST_F(TrustRoutesTest, a_package_has_one_owner_who_signs_it) {
  upload('0', "web");
  put_files(acme_, "secret");
  make_owner("gamma");
  publish(record(nullptr), "secret");  // the operator's
  EXPECT_EQ(refusal([&] { publish(record(&acme_), token_of("acme")); }), ErrorKind::untrusted);
  EXPECT_EQ(publish(record(&acme_), "secret").at("owner"), "acme");  // given to acme
  EXPECT_EQ(accounts_.holdings.find(Kind::package, "web")->owner, "acme");
  EXPECT_EQ(resolved("").at("evidence").at("packages/web").at("owner"), "acme");
  // A token of the owner's without the key publishes nothing; another owner's does not get so far.
  EXPECT_EQ(refusal([&] { publish(record(nullptr), token_of("acme")); }), ErrorKind::untrusted);
  EXPECT_EQ(refusal([&] { publish(record(nullptr), token_of("gamma")); }), ErrorKind::untrusted);
  EXPECT_EQ(publish(record(&acme_, 2), token_of("acme")).at("owner"), "acme");
}

TEST_F(TrustRoutesTest, what_is_given_to_another_owner_is_not_the_former_ones_any_more) {
  upload('0', "web");
  put_files(acme_, "secret");
  beta_.root.timestamp = beta_.root.snapshot = trust::testing::add_role(beta_.root.keys, {acme_.online_key});
  put_files(beta_, "secret");
  publish(record(&acme_), "secret");
  ask("POST", "/api/v1/owners/beta/packages/web", "secret", {{"private", false}});
  EXPECT_FALSE(resolved("").contains("evidence"));
  EXPECT_EQ(refusal([&] { publish(record(&acme_, 2), token_of("acme")); }), ErrorKind::untrusted);
  EXPECT_EQ(publish(record(&beta_), token_of("beta")).at("owner"), "beta");
  EXPECT_EQ(resolved("").at("evidence").at("packages/web").at("owner"), "beta");
}

TEST_F(TrustRoutesTest, signed_metadata_of_what_is_private_are_not_there_for_others) {
  upload('0', "web");
  make_owner("acme", true);
  const std::string admin = token_of("acme", "admin");
  put_files(acme_, admin);
  publish(record(&acme_), admin);
  const std::string evidence = "/api/v1/trust/acme/evidence?name=packages/";
  EXPECT_NE(ask("GET", evidence + "web", token_of("acme", "read")).at("name_file"), "");
  for (const std::string file : {"root", "root/1", "targets", "evidence?name=packages/web"})
    for (const std::string& token : {std::string(), token_of("acme", "read")}) {
      const auto answer = [&](const std::string& owner) -> std::string {
        try {
          return ask("GET", "/api/v1/trust/" + owner + "/" + file, token).dump();
        } catch (const Error& error) {
          return error.what();
        }
      };
      // To others acme is like an owner that is not there.
      if (token.empty()) {
        std::string nobody = answer("none");
        EXPECT_EQ(answer("acme"), nobody.replace(nobody.find("none"), 4, "acme"));
      } else {
        EXPECT_EQ(answer("acme").find("the catalog has no"), std::string::npos) << file;
      }
    }
  EXPECT_FALSE(resolved("").contains("evidence"));
  // With something public the owner is seen, and what is private is like what is new.
  accounts_.holdings.put(Kind::environment, "acme/open", {.owner = "acme", .is_private = false, .since = {}});
  EXPECT_EQ(ask("GET", evidence + "web", "").dump(), ask("GET", evidence + "new", "").dump());
  EXPECT_TRUE(ask("GET", "/api/v1/trust/acme/root", "").contains("signed"));
}

}  // namespace
}  // namespace flox::server
