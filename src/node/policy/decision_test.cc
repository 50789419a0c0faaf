#include "node/policy/decision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "node/policy/reader.h"
#include "testing/error_of.h"

namespace flox::policy {
namespace {

using testing::HasSubstr;

Policy policy_of(const std::string& text, const Defaults& defaults = {}) {
  return read_policy(text, "policy.toml", defaults);
}

Subject pod(const std::string& pod_namespace, std::optional<std::string> account = "default") {
  return {.pod_namespace = pod_namespace, .service_account = std::move(account)};
}
Asked package(const std::string& name, const std::string& version = "1.0") {
  return {.kind = Asked::Kind::package, .name = name, .version = version, .provenance = {}};
}
Asked environment(const std::string& name, const std::string& generation = "") {
  return {.kind = Asked::Kind::environment, .name = name, .version = generation, .provenance = {}};
}
Asked store_path(const std::string& name) {
  return {.kind = Asked::Kind::store_path, .name = name, .version = {}, .provenance = {}};
}
Asked signed_by(Asked asked, const std::string& owner, std::vector<std::string> signers) {
  asked.provenance = {.owner = owner, .signers = std::move(signers)};
  return asked;
}
// Empty: it is allowed.
std::string why(const Verdict& verdict) {
  EXPECT_EQ(verdict.allowed, verdict.why.empty());
  return verdict.why;
}

const std::string shop = R"([[allow]]
name = "shop"
namespaces = ["shop", "shop-*"]
owners = ["acme"]
environments = ["beta/web", "beta/api:>=7"]
packages = ["python3@>=3.11", "j?"]
store_paths = ["*-hello-1.0"]
)";

TEST(PolicyDecisionTest, WithoutAPolicyEverythingIsAsTheSettingsSay) {
  const Policy none{.file = {},
                    .defaults = {.install = false, .nix_mutable = true, .store_view = StoreView::closure}};
  EXPECT_TRUE(decide(none, pod("x", {}), package("any")).allowed);
  EXPECT_TRUE(decide(none, pod(""), environment("a/b")).allowed);
  EXPECT_EQ(why(decide_install(none, pod("x"))), "this node forbids it");
  const Terms terms = standing_of(none, pod("x")).terms;
  EXPECT_TRUE(terms.nix_mutable);
  EXPECT_EQ(terms.store_view, StoreView::closure);
  EXPECT_EQ(terms.rule, nullptr);
}

TEST(PolicyDecisionTest, WithARuleWhatNoneAllowsIsDenied) {
  const Policy policy = policy_of(shop);
  EXPECT_THAT(why(decide(policy, pod("other"), package("python3", "3.12"))),
              HasSubstr("no rule of policy.toml allows namespace 'other', service account 'default'"));
  EXPECT_FALSE(standing_of(policy, pod("")).verdict.allowed);
  EXPECT_FALSE(decide_install(policy, pod("other")).allowed);
  EXPECT_FALSE(decide_start(policy, {.subject = pod("other"), .environment = {}}).allowed);
  EXPECT_TRUE(decide_start(policy, {.subject = pod("shop-1"), .environment = {}}).allowed);
}

TEST(PolicyDecisionTest, ARuleAllowsWhatItNamesAndNothingElse) {
  const Policy policy = policy_of(shop);
  const auto said = [&](const Asked& asked) { return why(decide(policy, pod("shop"), asked)); };
  for (const Asked& asked :
       {package("python3", "3.11.2"), package("jq"), environment("beta/web"), environment("beta/web", "3"),
        environment("beta/api", "7"), environment("acme/any"),
        store_path("00000000000000000000000000000000-hello-1.0"), signed_by(package("tool"), "acme", {})})
    EXPECT_EQ(said(asked), "") << asked.to_string();
  EXPECT_THAT(
      said(package("python3", "3.10.9")),
      HasSubstr("rule 'shop' (policy.toml:1) does not allow package python3@3.10.9 to namespace 'shop'"));
  for (const Asked& asked : {package("curl"), environment("beta/other"), environment("beta/api", "6"),
                             store_path("00000000000000000000000000000000-hello-2.0"),
                             signed_by(package("tool"), "beta", {}), package("tool")})
    EXPECT_NE(said(asked), "") << asked.to_string();
}

TEST(PolicyDecisionTest, WithoutAVersionNothingIsDecidedThatDependsOnIt) {
  const Policy policy = policy_of(shop);
  const Verdict unknown = decide(policy, pod("shop"), asked_for("python3@3.11"));
  EXPECT_FALSE(unknown.allowed);
  EXPECT_TRUE(unknown.undecided);
  EXPECT_FALSE(decide(policy, pod("shop"), package("python3", "")).undecided) << "the catalog has answered";
  EXPECT_TRUE(decide(policy, pod("shop"), asked_for("curl")).undecided) << "it may be acme's";
  EXPECT_FALSE(decide(policy, pod("shop"), asked_for("beta/other")).undecided);
  EXPECT_TRUE(decide(policy, pod("shop"), asked_for("jq")).allowed);
  EXPECT_THAT(why(decide(policy, pod("shop"), environment("beta/api"))),
              HasSubstr("its generation is not known"));
  const Policy asks = policy_of(shop + "signers = [\"acme-1\"]\n");
  EXPECT_TRUE(decide(asks, pod("shop"), asked_for("jq")).undecided);
  EXPECT_FALSE(decide(asks, pod("shop"), package("jq")).undecided);
}

TEST(PolicyDecisionTest, TheFirstRuleForThePodCounts) {
  const Policy policy = policy_of(R"([[allow]]
name = "one"
namespaces = ["a"]
packages = ["x"]
[[allow]]
name = "all"
namespaces = ["*"]
packages = ["y"]
install = false
)");
  EXPECT_EQ(decide(policy, pod("a"), package("x")).rule, "one");
  EXPECT_EQ(decide(policy, pod("a"), package("x")).place, "policy.toml:1");
  EXPECT_FALSE(decide(policy, pod("a"), package("y")).allowed);
  EXPECT_EQ(decide(policy, pod("b"), package("y")).rule, "all");
  EXPECT_TRUE(decide_install(policy, pod("a")).allowed);
  EXPECT_THAT(why(decide_install(policy, pod("b"))), HasSubstr("rule 'all' (policy.toml:5) forbids it"));
}

TEST(PolicyDecisionTest, ARuleForAServiceAccountThatIsNotKnownDenies) {
  const Policy policy = policy_of(R"([[allow]]
name = "robot"
namespaces = ["a"]
service_accounts = ["robot-*"]
packages = ["x"]
[[allow]]
name = "others"
namespaces = ["*"]
packages = ["x", "y"]
)");
  EXPECT_EQ(decide(policy, pod("a", "robot-1"), package("x")).rule, "robot");
  EXPECT_EQ(decide(policy, pod("a", "human"), package("x")).rule, "others");
  EXPECT_THAT(why(decide(policy, pod("a", {}), package("x"))),
              HasSubstr("rule 'robot' (policy.toml:1) is for service accounts, and the pod's is not known"));
  EXPECT_TRUE(decide(policy, pod("b", {}), package("y")).allowed);
  const Policy denies = policy_of(R"([[deny]]
name = "no"
service_accounts = ["bad"]
packages = ["x"]
[[allow]]
name = "all"
namespaces = ["*"]
packages = ["*"]
)");
  EXPECT_FALSE(decide(denies, pod("a", {}), package("x")).allowed);
  EXPECT_TRUE(decide(denies, pod("a", {}), package("y")).allowed);
  EXPECT_TRUE(decide(denies, pod("a", "good"), package("x")).allowed);
}

TEST(PolicyDecisionTest, ARuleThatAsksForSignersDeniesWhatHasNone) {
  const Policy policy = policy_of(shop + "signers = [\"acme-*\", \"root\"]\n");
  EXPECT_THAT(why(decide(policy, pod("shop"), package("jq"))), HasSubstr("acme-* or root on package jq@1.0"));
  EXPECT_THAT(why(decide(policy, pod("shop"), signed_by(package("jq"), "", {"evil"}))),
              HasSubstr("is signed by evil"));
  EXPECT_TRUE(decide(policy, pod("shop"), signed_by(package("jq"), "", {"evil", "acme-2"})).allowed);
  EXPECT_TRUE(decide_start(policy, {.subject = pod("shop"), .environment = {}}).allowed);
}

TEST(PolicyDecisionTest, ADenyCountsWhateverAllows) {
  const Policy policy = policy_of(R"([[allow]]
name = "all"
namespaces = ["*"]
owners = ["*"]
environments = ["*/*"]
packages = ["*"]
store_paths = ["*"]
[[deny]]
name = "old-ssl"
packages = ["openssl@<3.0.7"]
store_paths = ["*-openssl-1*"]
reason = "CVE-2022-3602"
[[deny]]
name = "test"
namespaces = ["test"]
)");
  EXPECT_THAT(
      why(decide(policy, pod("a"), package("openssl", "3.0.1"))),
      HasSubstr("rule 'old-ssl' (policy.toml:8) denies package openssl@3.0.1 to namespace 'a', service "
                "account 'default': CVE-2022-3602"));
  EXPECT_TRUE(decide(policy, pod("a"), package("openssl", "3.0.7")).allowed);
  EXPECT_TRUE(decide(policy, pod("a"), asked_for("openssl")).undecided);
  EXPECT_FALSE(decide(policy, pod("a"), package("openssl", "")).allowed);
  EXPECT_FALSE(decide_part(policy, pod("a"), package("openssl", "3.0.1")).allowed);
  EXPECT_TRUE(decide_part(policy, pod("a"), package("curl")).allowed);
  EXPECT_FALSE(decide(policy, pod("test"), package("curl")).allowed);
  EXPECT_FALSE(decide_start(policy, {.subject = pod("test"), .environment = {}}).allowed);
  EXPECT_TRUE(looks_into_closures(policy));
  const auto path = [](const std::string& name) {
    return nix::StorePath::from_base_name("00000000000000000000000000000000-" + name);
  };
  EXPECT_TRUE(decide_closure(policy, pod("a"), {path("glibc"), path("openssl-3.0.9")}).allowed);
  EXPECT_THAT(why(decide_closure(policy, pod("a"), {path("glibc"), path("openssl-1.1")})),
              HasSubstr("closures with 00000000000000000000000000000000-openssl-1.1"));
}

TEST(PolicyDecisionTest, ADenyOfAnOwnerDeniesPackagesWhoseOwnerIsNotKnown) {
  const Policy policy = policy_of(R"([[deny]]
name = "no"
owners = ["evil"]
[[allow]]
name = "all"
namespaces = ["*"]
packages = ["*"]
environments = ["*/*"]
)");
  EXPECT_THAT(why(decide(policy, pod("a"), package("x"))), HasSubstr("no verified metadata say whose it is"));
  EXPECT_FALSE(decide(policy, pod("a"), signed_by(package("x"), "evil", {})).allowed);
  EXPECT_TRUE(decide(policy, pod("a"), signed_by(package("x"), "good", {})).allowed);
  EXPECT_FALSE(decide(policy, pod("a"), environment("evil/x")).allowed);
  EXPECT_TRUE(decide(policy, pod("a"), environment("good/x")).allowed);
}

TEST(PolicyDecisionTest, LimitsWishesAndSettingsComeTogether) {
  const Policy policy =
      policy_of(shop + "closure_size = \"1K\"\nrealise_time = \"5m\"\nnix_mutable = false\n",
                {.install = false, .nix_mutable = true, .store_view = StoreView::closure});
  const Terms terms = standing_of(policy, pod("shop")).terms;
  EXPECT_FALSE(terms.install);
  EXPECT_FALSE(terms.nix_mutable);
  EXPECT_EQ(terms.store_view, StoreView::closure);
  EXPECT_EQ(terms.realise_time, std::chrono::minutes(5));
  EXPECT_TRUE(decide_size(policy, pod("shop"), 1024).allowed);
  EXPECT_THAT(why(decide_size(policy, pod("shop"), 1025)),
              HasSubstr("rule 'shop' (policy.toml:1) allows closures of"));
  EXPECT_THAT(
      why(decide_start(policy,
                       {.subject = pod("shop"), .environment = {}, .store_view = {}, .nix_mutable = true})),
      HasSubstr("rule 'shop' (policy.toml:1) does not allow containers to change /nix"));
  EXPECT_THAT(
      why(decide_start(policy, {.subject = pod("shop"), .environment = {}, .store_view = StoreView::node})),
      HasSubstr("shows containers only their own closure"));
}

TEST(PolicyDecisionTest, WhatAnAnnotationNamesIsReadAsFloxdReadsIt) {
  EXPECT_EQ(asked_for("acme/web:3").to_string(), "environment acme/web:3");
  EXPECT_EQ(asked_for("acme/web").to_string(), "environment acme/web");
  EXPECT_EQ(asked_for("python3@^3.11").to_string(), "package python3");
  error_of([] { asked_for("acme/web/x"); });
}

env::Lockfile lock_of(const std::vector<std::pair<std::string, std::string>>& packages) {
  nlohmann::json entries = nlohmann::json::array();
  for (const auto& [name, version] : packages)
    entries.push_back({{"install_id", name},
                       {"attr_path", name},
                       {"version", version},
                       {"system", "x86_64-linux"},
                       {"outputs", {{"out", "/nix/store/00000000000000000000000000000000-" + name}}}});
  return env::Lockfile::parse(nlohmann::json{
      {"lockfile-version", 1},
      {"manifest", nlohmann::json::object()},
      {"packages", entries}}.dump());
}

TEST(PolicyDecisionTest, OfAnAllowedEnvironmentNothingMayBeDeniedAndAChosenVersionMustBeAllowed) {
  const Policy policy = policy_of(shop + "[[deny]]\nname = \"no\"\npackages = [\"bad\"]\n");
  const auto decided = [&](const Asked& asked, const env::Lockfile& published, const env::Lockfile& lock) {
    return why(decide_lock(policy, pod("shop"), asked, published, lock, "x86_64-linux"));
  };
  const env::Lockfile web = lock_of({{"web", "1"}, {"curl", "8"}});
  EXPECT_EQ(decided(environment("beta/web"), web, web), "");
  EXPECT_THAT(decided(environment("beta/other"), web, web),
              HasSubstr("does not allow environment beta/other"));
  EXPECT_THAT(decided(environment("beta/web"), lock_of({{"bad", "1"}}), lock_of({{"bad", "1"}})),
              HasSubstr("rule 'no'"));
  EXPECT_THAT(decided(environment("beta/web"), web, lock_of({{"web", "0.9"}, {"curl", "8"}})),
              HasSubstr("does not allow package web@0.9"));
  EXPECT_EQ(decided(environment("beta/web"), lock_of({{"jq", "1"}}), lock_of({{"jq", "0.9"}})), "");
  EXPECT_EQ(decided(package("python3", ""), lock_of({{"python3", "3.11"}}), lock_of({{"python3", "3.11"}})),
            "");
  EXPECT_NE(decided(package("python3", ""), lock_of({{"python3", "3.11"}}), lock_of({{"python3", "3.9"}})),
            "");
}

TEST(PolicyDecisionTest, WhatAnEnvironmentsOwnerHasSignedIsThatOwnersAndAChosenVersionIsWhoseItIs) {
  const Policy policy = policy_of(R"([[deny]]
name = "no"
owners = ["evil"]
[[allow]]
name = "shop"
namespaces = ["shop"]
owners = ["acme"]
signers = ["alice-*"]
)");
  const env::Lockfile web = lock_of({{"web", "1"}, {"curl", "8"}}),
                      old = lock_of({{"web", "0.9"}, {"curl", "8"}});
  const auto decided = [&](const Asked& asked, const env::Lockfile& lock, const PackageProvenances& chosen) {
    return why(decide_lock(policy, pod("shop"), asked, web, lock, "x86_64-linux", chosen));
  };
  const Asked signed_one = signed_by(environment("acme/web"), "acme", {"alice-1"});
  EXPECT_EQ(decided(signed_one, web, {}), "");
  EXPECT_THAT(decided(environment("acme/web"), web, {}), HasSubstr("has no verified one"));
  EXPECT_THAT(decided(signed_by(environment("acme/web"), "acme", {"bob-1"}), web, {}),
              HasSubstr("is signed by bob-1"));
  EXPECT_EQ(decided(signed_one, old, {{"web", {.owner = "acme", .signers = {"alice-2"}}}}), "");
  EXPECT_THAT(decided(signed_one, old, {{"web", {.owner = "acme", .signers = {"bob-1"}}}}),
              HasSubstr("is signed by bob-1"));
  EXPECT_THAT(decided(signed_one, old, {{"web", {.owner = "evil", .signers = {"alice-1"}}}}),
              HasSubstr("rule 'no'"));
  EXPECT_NE(decided(signed_one, old, {}), "");
}

TEST(PolicyDecisionTest, AKeysNameThatLooksLikeAnIdIsNotOne) {
  const std::string id(64, 'a'), other(64, 'b');
  trust::Provenance verified;
  verified.owner = "acme";
  verified.signers = {
      {.keyid = id, .name = "alice-1"}, {.keyid = id, .name = other}, {.keyid = id, .name = ""}};
  const Provenance provenance = provenance_of(verified);
  EXPECT_EQ(provenance.owner, "acme");
  EXPECT_EQ(provenance.signers, (std::vector<std::string>{id, "alice-1", id, id}));
  EXPECT_EQ(provenance_of(std::nullopt).owner, "");
}

// Whatever rules are added: behind the others no [[allow]] changes what a pod gets that has a rule already,
// and none anywhere allows what a [[deny]] names.
TEST(PolicyDecisionTest, AnotherAllowNeverAllowsWhatADenyNames) {
  std::mt19937 random(7);
  const auto pick = [&](std::initializer_list<const char*> words) {
    return std::string(*(words.begin() + random() % words.size()));
  };
  const auto allow = [&](size_t number) {
    return fmt::format(
        "[[allow]]\nname = \"a{}\"\nnamespaces = [\"{}\"]\n{}packages = [\"{}\"]\nenvironments = [\"{}\"]\n",
        number, pick({"*", "a", "b", "a*", "?"}),
        pick({"", "service_accounts = [\"s\"]\n", "service_accounts = [\"*\"]\n"}),
        pick({"*", "x", "y@>=2", "?"}), pick({"*/*", "o/*", "o/e:>2"}));
  };
  const std::vector<Asked> wishes = {package("x"),      package("y", "1"),  package("y", "3"),
                                     package("x", ""),  environment("o/e"), environment("o/e", "3"),
                                     environment("p/e")};
  const std::vector<Subject> pods = {pod("a", "s"), pod("a", "t"), pod("a", {}), pod("b", "s"), pod("", {})};
  size_t compared = 0, denied = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string rules;
    for (size_t i = 0, count = random() % 3; i < count; ++i) rules += allow(i);
    rules += fmt::format(
        "[[deny]]\nname = \"d\"\n{}{}", pick({"", "namespaces = [\"a\"]\n", "service_accounts = [\"s\"]\n"}),
        pick({"packages = [\"x\"]\n", "packages = [\"y@<2\"]\n", "environments = [\"o/*\"]\n", ""}));
    const std::string other = allow(9);
    std::optional<Policy> before, behind, first;
    try {
      before = policy_of(rules);
      behind = policy_of(rules + other);
      first = policy_of(other + rules);
    } catch (const Error&) {
      continue;  // a rule that no pod can get
    }
    for (const Subject& subject : pods)
      for (const Asked& asked : wishes) {
        const Verdict old = decide(*before, subject, asked);
        const bool has_rule = standing_of(*before, subject).terms.rule != nullptr;
        if (has_rule) {
          EXPECT_EQ(decide(*behind, subject, asked).why, old.why) << rules << other;
        }
        if (!decide_part(*before, subject, asked).allowed) {
          EXPECT_FALSE(decide(*behind, subject, asked).allowed) << rules << other;
          EXPECT_FALSE(decide(*first, subject, asked).allowed) << rules << other;
          ++denied;
        }
        ++compared;
      }
  }
  EXPECT_GT(compared, 10'000U);
  EXPECT_GT(denied, 1'000U);
}

TEST(PolicyDecisionTest, PrefetchingIsAsTheRuleSaysOrElseTheNode) {
  const auto allowed = [](const std::string& text, bool node) {
    return decide_prefetch(policy_of(text, {.prefetch = node}), pod("shop")).allowed;
  };
  EXPECT_TRUE(allowed(shop, true));
  EXPECT_FALSE(allowed(shop, false));
  EXPECT_TRUE(allowed(shop + "prefetch = true\n", false));
  EXPECT_FALSE(allowed(shop + "prefetch = false\n", true));
  EXPECT_FALSE(decide_prefetch(policy_of(shop), pod("lab")).allowed);
}

}  // namespace
}  // namespace flox::policy
