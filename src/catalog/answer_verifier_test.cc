#include "catalog/answer_verifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/os/file.h"
#include "trust/testing/owner.h"

namespace flox::catalog {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* web = "/nix/store/00000000000000000000000000000000-web";
constexpr const char* other = "/nix/store/11111111111111111111111111111111-other";

PackageBuild build_at(std::string version, const char* path = web) {
  PackageBuild made;
  made.name = "web";
  made.version = std::move(version);
  made.system = "x86_64-linux";
  made.outputs.emplace("out", nix::StorePath::parse(path));
  return made;
}

class AnswerVerifierTest : public testing::Test {
 protected:
  AnswerVerifierTest() {
    settings_.trust_dir = dir_.path() / "trust";
    settings_.trust_state_dir = dir_.path() / "state";
  }
  void trust_owner() {
    trust::TrustStore store(settings_.trust_dir, settings_.trust_state_dir);
    store.accept(owner_.owner, {owner_.root_text()});
  }
  AnswerVerifier verifier() {
    return AnswerVerifier(settings_, {.root = [](const std::string&, uint64_t) { return std::nullopt; },
                                      .warn = [&](const std::string& text) { warnings_.push_back(text); },
                                      .clock = [&] { return owner_.now; }});
  }
  // What the catalog answers, and what the owner has signed.
  Resolved answer(const PackageBuild& given, const std::vector<PackageBuild>& builds,
                  const std::optional<std::string>& yanked = {}) {
    json entry = {{"attr_path", given.name},
                  {"install_id", "w"},
                  {"version", given.version},
                  {"system", given.system},
                  {"outputs_to_install", {"out"}}};
    for (const auto& [output, path] : given.outputs) entry["outputs"][output] = path.to_string();
    if (!given.variant.empty()) entry["variant"] = given.variant;
    std::map<std::string, trust::Target> targets;
    for (const auto& one : builds) {
      trust::Target target = record_of(one).to_target();
      if (&one == &builds.back()) target.yanked = yanked;
      targets.emplace(record_of(one).target_path(), target);
    }
    owner_.publish("packages/web", targets);
    return {.package = env::LockedPackage::from_json(entry), .evidence = owner_.evidence("packages/web")};
  }
  Origin check(const Resolved& given, std::optional<std::string> version = {}) {
    return verifier().check(given, "w", {.pkg_path = "web", .version = std::move(version)}, "x86_64-linux");
  }
  std::string refusal(const std::function<void()>& call) {
    try {
      call();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::untrusted) << error.what();
      return error.what();
    }
    ADD_FAILURE() << "not refused";
    return {};
  }
  Pushed pushed(const std::string& manifest = "m", int64_t generation = 1) {
    Pushed environment{.generation = generation, .manifest = manifest, .lock = {}, .evidence = {}};
    environment.lock.manifest = json::object();
    const trust::EnvironmentRecord record{.owner = owner_.owner,
                                          .name = "web",
                                          .generation = static_cast<uint64_t>(generation),
                                          .manifest = manifest,
                                          .lock = environment.lock.to_string()};
    trust::NameFile file;
    owner_.head(file);
    file.name = "environments/web";
    file.version = record.generation;
    file.targets = record.to_targets();
    owner_.put(file, trust::testing::signed_by(file, {owner_.signing_key}));
    environment.evidence = owner_.evidence("environments/web");
    return environment;
  }

  TempDir dir_;
  trust::testing::TestOwner owner_;
  trust::TrustSettings settings_;
  std::vector<std::string> warnings_;
};

TEST_F(AnswerVerifierTest, what_a_trusted_owner_has_signed_passes_and_says_whose_it_is) {
  trust_owner();
  const Origin origin = check(answer(build_at("1.0"), {build_at("1.0")}));
  ASSERT_TRUE(origin.has_value());
  EXPECT_EQ(origin->owner, "acme");
  EXPECT_THAT(to_string(origin), HasSubstr("alice-1"));
  EXPECT_TRUE(verifier().check(pushed(), {.owner = "acme", .name = "web", .generation = {}}).has_value());
  EXPECT_TRUE(warnings_.empty());
}

TEST_F(AnswerVerifierTest,
       what_nobody_has_signed_or_nobody_trusts_is_refused_unless_that_is_allowed_and_said) {
  Resolved bare = answer(build_at("1.0"), {build_at("1.0")});
  EXPECT_THAT(refusal([&] { check(bare); }), HasSubstr("its owner acme is not trusted here"));
  bare.evidence.reset();
  EXPECT_THAT(refusal([&] { check(bare); }), HasSubstr("no owner has signed it"));
  const EnvironmentName name{.owner = "acme", .name = "web", .generation = {}};
  EXPECT_THAT(refusal([&] { verifier().check(pushed(), name); }), HasSubstr("is not trusted here"));
  trust_owner();
  Pushed environment = pushed();
  environment.evidence.reset();
  EXPECT_THAT(refusal([&] { verifier().check(environment, name); }), HasSubstr("is not signed"));
  settings_.allow_unsigned = true;
  EXPECT_FALSE(check(bare).has_value());
  EXPECT_FALSE(verifier().check(environment, name).has_value());
  ASSERT_EQ(warnings_.size(), 2U);
  for (const auto& warning : warnings_) EXPECT_THAT(warning, testing::StartsWith("allow_unsigned: "));
}

TEST_F(AnswerVerifierTest, what_a_trusted_owner_has_signed_otherwise_is_refused_even_if_unsigned_is_allowed) {
  trust_owner();
  settings_.allow_unsigned = true;
  EXPECT_THAT(refusal([&] { check(answer(build_at("1.0", other), {build_at("1.0")})); }),
              HasSubstr("has other store paths than acme has signed"));
  Pushed environment = pushed();
  environment.manifest = "another";
  EXPECT_THAT(
      refusal([&] { verifier().check(environment, {.owner = "acme", .name = "web", .generation = {}}); }),
      HasSubstr("is not what acme has signed"));
}

TEST_F(AnswerVerifierTest, an_older_version_is_no_answer_unless_it_is_asked_for) {
  trust_owner();
  const std::vector<PackageBuild> builds = {build_at("1.0"), build_at("2.0", other)};
  EXPECT_THAT(refusal([&] { check(answer(build_at("1.0"), builds)); }),
              HasSubstr("acme has signed version 2.0"));
  EXPECT_TRUE(check(answer(build_at("1.0"), builds), "1.0").has_value());
  EXPECT_THAT(refusal([&] { check(answer(build_at("1.0"), builds), "^3"); }),
              HasSubstr("nothing that acme has signed"));
}

TEST_F(AnswerVerifierTest, another_package_another_id_and_a_missing_output_are_refused) {
  trust_owner();
  PackageBuild two = build_at("1.0");
  two.outputs.emplace("dev", nix::StorePath::parse(other));
  EXPECT_THAT(refusal([&] { check(answer(two, {two})); }), HasSubstr("other store paths"));  // installs "out"
  Resolved renamed = answer(build_at("1.0"), {build_at("1.0")});
  renamed.package.install_id = "x";
  refusal([&] { check(renamed); });
  renamed = answer(build_at("1.0"), {build_at("1.0")});
  renamed.package.attr_path = "wep";
  refusal([&] { check(renamed); });
}

TEST_F(AnswerVerifierTest, a_yanked_version_is_for_who_names_it_and_is_warned_of) {
  trust_owner();
  const std::vector<PackageBuild> builds = {build_at("1.0"), build_at("2.0", other)};
  EXPECT_TRUE(check(answer(build_at("1.0"), builds, "it leaks")).has_value());
  EXPECT_TRUE(warnings_.empty());
  EXPECT_TRUE(check(answer(build_at("2.0", other), builds, "it leaks"), "2.0").has_value());
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("it leaks")));
}

TEST_F(AnswerVerifierTest, an_environment_is_the_generation_that_was_asked_for) {
  trust_owner();
  EXPECT_THAT(
      refusal([&] { verifier().check(pushed("m", 2), {.owner = "acme", .name = "web", .generation = 1}); }),
      HasSubstr("answers generation 2"));
  EXPECT_TRUE(
      verifier().check(pushed("m", 2), {.owner = "acme", .name = "web", .generation = 2}).has_value());
  EXPECT_THAT(
      refusal([&] { verifier().check(pushed("m", 1), {.owner = "acme", .name = "web", .generation = {}}); }),
      HasSubstr("seen here before"));
}

class KeptAnswerTest : public AnswerVerifierTest {
 protected:
  KeptAnswerTest() { trust_owner(); }
  Origin check_kept(const Resolved& given, const AnswerVerifier::Newest& newest = {},
                    std::optional<std::string> version = {}) {
    return verifier().check_kept(given, "w", {.pkg_path = "web", .version = std::move(version)},
                                 "x86_64-linux", newest);
  }
  const EnvironmentName latest_{.owner = "acme", .name = "web", .generation = {}};
};

TEST_F(KeptAnswerTest, what_was_verified_once_passes_when_it_has_expired_and_is_no_longer_the_newest) {
  const Resolved first = answer(build_at("1.0"), {build_at("1.0")});
  ASSERT_TRUE(check(first).has_value());
  ASSERT_TRUE(check(answer(build_at("2.0", other), {build_at("1.0"), build_at("2.0", other)})).has_value());
  EXPECT_THAT(refusal([&] { check(first); }), HasSubstr("seen here before"));
  owner_.now += std::chrono::days(2'000);
  const Origin origin = check_kept(first);
  ASSERT_TRUE(origin.has_value());
  EXPECT_EQ(origin->version, 1U);
  const Pushed environment = pushed();
  EXPECT_TRUE(verifier().check_kept(environment, latest_, {}).has_value());
  EXPECT_TRUE(warnings_.empty());
}

TEST_F(KeptAnswerTest, another_answer_than_was_signed_is_refused_all_the_same) {
  Resolved given = answer(build_at("1.0", other), {build_at("1.0")});
  EXPECT_THAT(refusal([&] { check_kept(given); }), HasSubstr("other store paths"));
  given = answer(build_at("1.0"), {build_at("1.0"), build_at("2.0", other)});
  EXPECT_THAT(refusal([&] { check_kept(given); }), HasSubstr("has signed version 2.0"));
  Pushed environment = pushed();
  environment.manifest = "another";
  EXPECT_THAT(refusal([&] { verifier().check_kept(environment, latest_, {}); }),
              HasSubstr("is not what acme has signed"));
  environment = pushed();
  environment.evidence->name_file = answer(build_at("1.0"), {build_at("1.0")}).evidence->name_file;
  EXPECT_THAT(refusal([&] { verifier().check_kept(environment, latest_, {}); }),
              HasSubstr("was kept instead"));
}

TEST_F(KeptAnswerTest, what_only_a_revoked_key_has_signed_is_refused_once_that_is_known_here) {
  const Resolved given = answer(build_at("1.0"), {build_at("1.0")});
  const Pushed environment = pushed();
  ASSERT_TRUE(check_kept(given).has_value());
  owner_.targets = {};
  owner_.head(owner_.targets);
  owner_.targets.version = 2;
  owner_.delegate("publishers", {"packages/*", "environments/*"}, {trust::testing::key("bob-1")});
  const AnswerVerifier::Newest newest{
      .targets = trust::testing::signed_by(owner_.targets, {owner_.targets_key}), .name_file = {}};
  refusal([&] { check_kept(given, newest); });
  refusal([&] { verifier().check_kept(environment, latest_, newest); });
  // Nobody but the owner says which keys count.
  const AnswerVerifier::Newest forged{
      .targets = trust::testing::signed_by(owner_.targets, {trust::testing::key("mallory-1")}),
      .name_file = {}};
  refusal([&] { check_kept(given, forged); });
}

TEST_F(KeptAnswerTest, an_owner_or_a_package_that_is_no_longer_trusted_here_is_refused) {
  const Resolved given = answer(build_at("1.0"), {build_at("1.0")});
  trust::TrustStore(settings_.trust_dir, settings_.trust_state_dir)
      .accept(owner_.owner, {owner_.root_text()}, {"other-*"});
  refusal([&] { check_kept(given); });
  fs::remove_all(settings_.trust_dir / owner_.owner);
  EXPECT_THAT(refusal([&] { check_kept(given); }), HasSubstr("not trusted here"));
}

TEST_F(KeptAnswerTest, a_yank_that_is_known_here_is_warned_of_and_a_build_that_was_withdrawn_refused) {
  const Resolved given = answer(build_at("1.0"), {build_at("1.0")});
  const Resolved yanked = answer(build_at("1.0"), {build_at("1.0")}, "it leaks");
  const Origin origin = check_kept(given, {.targets = {}, .name_file = yanked.evidence->name_file});
  ASSERT_TRUE(origin.has_value());
  EXPECT_EQ(origin->yanked, "it leaks");
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("it leaks")));
  const Resolved others = answer(build_at("2.0", other), {build_at("2.0", other)});
  EXPECT_THAT(refusal([&] { check_kept(given, {.targets = {}, .name_file = others.evidence->name_file}); }),
              HasSubstr("has no such build"));
  // An older file than the answer's own says nothing, and neither does one of a stranger.
  EXPECT_EQ(check_kept(yanked, {.targets = {}, .name_file = given.evidence->name_file}, "1.0")->yanked,
            "it leaks");
  EXPECT_FALSE(check_kept(given, {.targets = {}, .name_file = "{}"})->yanked.has_value());
}

TEST_F(KeptAnswerTest, what_nobody_has_signed_passes_only_while_that_is_allowed) {
  Resolved bare = answer(build_at("1.0"), {build_at("1.0")});
  bare.evidence.reset();
  refusal([&] { check_kept(bare); });
  settings_.allow_unsigned = true;
  EXPECT_FALSE(check_kept(bare).has_value());
}

}  // namespace
}  // namespace flox::catalog
