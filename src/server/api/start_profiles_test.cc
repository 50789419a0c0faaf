#include <gtest/gtest.h>

#include "catalog/start_profile.h"
#include "server/testing/api.h"

namespace flox::server {
namespace {

using catalog::StartProfile;
using nlohmann::json;

// Profiles of an environment of acme's, and of a package.
class StartProfileRoutesTest : public ApiCallTest {
 protected:
  StartProfileRoutesTest() {
    upload('0', "library");
    ask("POST", "/api/v1/environments/acme/web", acme_token_,
        {{"manifest", "x"},
         {"lock",
          {{"lockfile-version", 1},
           {"manifest", {{"text", "x"}}},
           {"packages",
            {{{"attr_path", "web"},
              {"install_id", "web"},
              {"version", "1"},
              {"system", "x86_64-linux"},
              {"outputs", {{"out", path('0').to_string()}}}}}}}}});
  }
  void publish_package(const std::string& token) {
    ask("POST", "/api/v1/catalog/packages/web/builds", token,
        {{"name", "web"},
         {"version", "1.0"},
         {"system", "x86_64-linux"},
         {"signer", "k"},
         {"outputs", {{"out", path('0').to_string()}}}});
  }
  static StartProfile of(char digit, std::vector<store::FileRange> ranges) {
    return {.paths = {{path(digit), std::move(ranges)}}, .packages = {path(digit)}};
  }
  void publish(const StartProfile& profile, const std::string& token, const std::string& where) {
    put(where, profile.to_text(), token);
  }
  StartProfile published(const std::string& where, const std::string& token = "") {
    return StartProfile::parse(ask("GET", where, token).dump());
  }
  size_t parts(const std::string& where) { return published(where).size().ranges; }

  std::string make_token() {
    make_owner("acme");
    return token_of("acme");
  }
  const std::string environment_ = "/api/v1/environments/acme/web/start-profile";
  const std::string package_ = "/api/v1/catalog/packages/web/start-profile";
  const std::string acme_token_ = make_token();
};

TEST_F(StartProfileRoutesTest, what_nodes_have_recorded_is_merged_and_shown_to_everyone) {
  EXPECT_EQ(refusal([&] { published(environment_); }), ErrorKind::not_found);
  publish(of('0', {{"a", 0, 10}}), acme_token_, environment_);
  publish(of('0', {{"b", 0, 10}, {"a", 10, 20}}), acme_token_, environment_);
  EXPECT_EQ(published(environment_).paths.at(0).ranges,
            (std::vector<store::FileRange>{{"a", 0, 20}, {"b", 0, 10}}));
  publish(of('1', {{"c", 0, 10}}), acme_token_, environment_);
  ASSERT_EQ(published(environment_).paths.size(), 1u) << "another version of the same package";
  EXPECT_EQ(published(environment_).paths[0].path, path('1'));
  ask("DELETE", environment_, acme_token_);
  EXPECT_EQ(refusal([&] { published(environment_); }), ErrorKind::not_found);
  EXPECT_EQ(refusal([&] { ask("DELETE", environment_, acme_token_); }), ErrorKind::not_found);
}

TEST_F(StartProfileRoutesTest, a_package_has_its_own) {
  EXPECT_EQ(refusal([&] { publish(of('0', {{"a", 0, 10}}), acme_token_, package_); }), ErrorKind::not_found);
  publish_package(acme_token_);
  publish(of('0', {{"a", 0, 10}}), acme_token_, package_);
  EXPECT_EQ(parts(package_), 1u);
  EXPECT_EQ(refusal([&] { published(environment_); }), ErrorKind::not_found);
}

TEST_F(StartProfileRoutesTest, only_who_publishes_for_the_owner_changes_it) {
  publish_package(acme_token_);
  make_owner("beta");
  const std::string beta = token_of("beta"), reader = token_of("acme", "read");
  const StartProfile profile = of('0', {{"a", 0, 10}});
  for (const std::string& where : {environment_, package_}) {
    publish(profile, acme_token_, where);
    for (const std::string& token : {beta, reader, std::string("wrong")}) {
      EXPECT_EQ(refusal([&] {
                  publish(of('0', {{"b", 0, 10}}), token, where);
                }),
                ErrorKind::untrusted)
          << where;
      EXPECT_EQ(refusal([&] { ask("DELETE", where, token); }), ErrorKind::untrusted) << where;
    }
    EXPECT_EQ(published(where).to_text(), profile.to_text());
  }
}

TEST_F(StartProfileRoutesTest, of_what_is_private_it_is_not_there_for_others) {
  publish(of('0', {{"a", 0, 10}}), acme_token_, environment_);
  ask("POST", "/api/v1/owners/acme/environments/web", "secret", {{"private", true}});
  EXPECT_EQ(published(environment_, acme_token_).size().ranges, 1u);
  EXPECT_EQ(refusal([&] { published(environment_); }), ErrorKind::not_found);
  make_owner("beta");
  EXPECT_EQ(refusal([&] { published(environment_, token_of("beta")); }), ErrorKind::not_found);
}

TEST_F(StartProfileRoutesTest, what_is_no_profile_of_it_is_refused_and_changes_nothing) {
  const StartProfile profile = of('0', {{"a", 0, 10}});
  publish(profile, acme_token_, environment_);
  StartProfile other{.paths = {},
                     .packages = {nix::StorePath::from_base_name(std::string(32, '0') + "-tool")}};
  StartProfile nobodys = profile;
  nobodys.packages.clear();
  const std::string name(path('0').base_name());
  for (const std::string& text : std::vector<std::string>{
           other.to_text(), nobodys.to_text(), std::string("{"), std::string("[]"), std::string(),
           std::string(StartProfile::most_bytes + 1, ' '),
           R"({"version": 1, "packages": [")" + name + R"("]})",
           R"({"version": 1, "packages": ["../../etc/passwd"], "paths": []})",
           R"({"version": 1, "packages": [")" + name + R"("], "paths": [{"path": "../x", "ranges": []}]})",
           R"({"version": 1, "packages": [")" + name + R"("], "paths": )" + std::string(100, '[') +
               std::string(100, ']') + "}"})
    EXPECT_EQ(refusal([&] { put(environment_, text, acme_token_); }), ErrorKind::invalid_input)
        << text.substr(0, 100);
  EXPECT_EQ(published(environment_).to_text(), profile.to_text());
  EXPECT_EQ(refusal([&] { published("/api/v1/environments/acme/none/start-profile"); }),
            ErrorKind::not_found);
  EXPECT_EQ(refusal([&] { published("/api/v1/environments/acme/../start-profile"); }),
            ErrorKind::invalid_input);
}

}  // namespace
}  // namespace flox::server
