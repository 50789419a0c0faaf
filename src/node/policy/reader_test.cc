#include "node/policy/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/os/file.h"
#include "testing/error_of.h"

namespace flox::policy {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string refusal_of(const std::string& text) {
  return error_of([&] { read_policy(text, "policy.toml"); });
}

const std::string web = "[[allow]]\nname = \"web\"\nnamespaces = [\"shop\"]\n";

TEST(PolicyReaderTest, ReadsEveryKeyOfARule) {
  const Policy policy = read_policy(R"([[deny]]
name = "old"
packages = ["openssl@<3.0.7"]
reason = "CVE-2022-3602"

[[allow]]
name = "web"
namespaces = ["shop", "shop-*"]
service_accounts = ["checkout"]
owners = ["acme"]
environments = ["acme/web", "acme/api:>=7"]
packages = ["python3@>=3.11", "jq"]
store_paths = ["/nix/store/*-hello-1.0", "*-world"]
signers = ["acme-1"]
install = true
nix_mutable = false
store_view = "closure"
closure_size = "2G"
realise_time = "5m"
)",
                                    "policy.toml");
  ASSERT_EQ(policy.denies.size(), 1U);
  EXPECT_EQ(policy.denies[0].reason, "CVE-2022-3602");
  EXPECT_EQ(policy.place_of(policy.denies[0]), "policy.toml:1");
  ASSERT_EQ(policy.allows.size(), 1U);
  const Allow& rule = policy.allows[0];
  EXPECT_EQ(policy.place_of(rule), "policy.toml:6");
  EXPECT_EQ(rule.pods.namespaces.size(), 2U);
  EXPECT_EQ(rule.pods.service_accounts.at(0).text(), "checkout");
  EXPECT_EQ(rule.things.owners.at(0).text(), "acme");
  EXPECT_EQ(rule.things.environments.at(1).name.text(), "acme/api");
  EXPECT_EQ(rule.things.environments.at(1).constraint, ">=7");
  EXPECT_TRUE(rule.things.packages.at(0).versions->admits("3.12.1"));
  EXPECT_FALSE(rule.things.packages.at(1).versions);
  EXPECT_EQ(rule.things.store_paths.at(0).text(), "*-hello-1.0");
  EXPECT_EQ(rule.signers.at(0).text(), "acme-1");
  EXPECT_EQ(rule.install, true);
  EXPECT_EQ(rule.nix_mutable, false);
  EXPECT_EQ(rule.store_view, StoreView::closure);
  EXPECT_EQ(rule.closure_size, 2ULL << 30);
  EXPECT_EQ(rule.realise_time, std::chrono::minutes(5));
}

TEST(PolicyReaderTest, AnUnknownKeyIsRefusedWithItsPlaceAndTheNearest) {
  EXPECT_THAT(refusal_of(web + "instal = true\n"), StartsWith("policy.toml:4:1: unknown key 'instal'"));
  EXPECT_THAT(refusal_of(web + "  reason = \"x\"\n"), StartsWith("policy.toml:4:3: unknown key 'reason'"));
  EXPECT_THAT(refusal_of("[[deny]]\nname = \"x\"\ninstall = false\n"),
              StartsWith("policy.toml:3:1: unknown key"));
  EXPECT_THAT(refusal_of(web + "[[rule]]\n"), StartsWith("policy.toml:4:3: unknown key 'rule'"));
  try {
    read_policy(web + "instal = true\n", "policy.toml");
  } catch (const Error& error) {
    EXPECT_EQ(error.advice(), "Did you mean install?");
  }
}

TEST(PolicyReaderTest, AnIllTypedValueIsRefusedWithItsPlace) {
  for (const char* line :
       {"install = \"yes\"", "nix_mutable = 1", "store_view = \"all\"", "store_view = true",
        "closure_size = \"much\"", "closure_size = 0", "closure_size = -1", "realise_time = \"0s\"",
        "realise_time = \"soon\"", "packages = \"jq\"", "owners = [\"a/b\"]"})
    EXPECT_THAT(refusal_of(web + line + "\n"), StartsWith("policy.toml:4:")) << line;
  EXPECT_THAT(refusal_of(web + "packages = [\n  \"jq\",\n  5]\n"), StartsWith("policy.toml:6:3: a string"));
  EXPECT_THAT(refusal_of(web + "packages = [\"acme/web\"]\n"), HasSubstr("'environments'"));
  EXPECT_THAT(refusal_of(web + "environments = [\"web\"]\n"), HasSubstr("'packages'"));
  EXPECT_THAT(refusal_of(web + "packages = [\"jq@\"]\n"), HasSubstr("nothing behind '@'"));
  EXPECT_THAT(refusal_of(web + "packages = [\"jq@>=\"]\n"), StartsWith("policy.toml:4:"));
  EXPECT_THAT(refusal_of(web + "store_paths = [\"/etc/passwd\"]\n"), HasSubstr("not a store path"));
  EXPECT_THAT(refusal_of(web + "signers = []\n"), HasSubstr("leave the key out"));
  EXPECT_THAT(refusal_of(web + "service_accounts = []\n"), HasSubstr("leave the key out"));
}

TEST(PolicyReaderTest, AFileWithoutARuleIsRefused) {
  for (const char* text : {"", "\n# nothing\n", "allow = []\n"})
    EXPECT_THAT(refusal_of(text), HasSubstr("there is no rule in it")) << text;
  for (const char* text : {"allow = 5\n", "allow = [5]\n", "[allow]\n"})
    EXPECT_THAT(refusal_of(text), HasSubstr("[[allow]]")) << text;
  EXPECT_THAT(refusal_of("[[allow]\n"), StartsWith("policy.toml:1:"));
}

TEST(PolicyReaderTest, ARuleHasANameOfItsOwnAndAnAllowItsNamespaces) {
  EXPECT_THAT(refusal_of("[[allow]]\nnamespaces = [\"x\"]\n"), HasSubstr("a rule without a name"));
  EXPECT_THAT(refusal_of("[[allow]]\nname = \"a b\"\nnamespaces = [\"x\"]\n"),
              HasSubstr("cannot be a rule's name"));
  EXPECT_THAT(refusal_of("[[allow]]\nname = \"a\"\n"), HasSubstr("has no namespaces"));
  EXPECT_THAT(refusal_of(web + "[[deny]]\nname = \"web\"\n"),
              StartsWith("policy.toml:1:1: rule 'web': line 4"));
}

TEST(PolicyReaderTest, ARuleThatNoPodCanGetIsRefused) {
  const std::string all = "[[allow]]\nname = \"all\"\nnamespaces = [\"*\"]\n";
  EXPECT_THAT(refusal_of(all + web), HasSubstr("rule 'web' is for no pod: rule 'all' (line 1)"));
  EXPECT_EQ(refusal_of(web + all), "no error");
  EXPECT_EQ(refusal_of("[[allow]]\nname = \"x\"\nnamespaces = [\"*\"]\nservice_accounts = [\"a\"]\n" + web),
            "no error");
  EXPECT_THAT(refusal_of("[[allow]]\nname = \"x\"\nnamespaces = [\"sh*\"]\n" + web),
              HasSubstr("is for no pod"));
}

TEST(PolicyReaderTest, RulesAndPatternsAreBounded) {
  std::string rules;
  for (int i = 0; i < 1001; ++i) rules += "[[deny]]\nname = \"r" + std::to_string(i) + "\"\n";
  EXPECT_THAT(refusal_of(rules), HasSubstr("more than 1000 rules"));
  std::string names;
  for (int i = 0; i < 20'001; ++i) names += "\"n\",";
  EXPECT_THAT(refusal_of(web + "packages = [" + names + "]\n"), HasSubstr("more than"));
  EXPECT_THAT(refusal_of(web + std::string(2 << 20, '#')), StartsWith("policy.toml:"));
}

TEST(PolicyReaderTest, AFileThatOthersCanWriteToIsNotBelieved) {
  const TempDir directory;
  const fs::path file = directory.path() / "policy.toml";
  EXPECT_THAT(error_of([&] { load_policy(file, {}); }, ErrorKind::not_found), HasSubstr("policy.toml"));
  write_file(file, web, 0666);
  fs::permissions(file, fs::perms(0666));
  EXPECT_THAT(error_of([&] { load_policy(file, {}); }, ErrorKind::untrusted), HasSubstr("can write"));
  fs::permissions(file, fs::perms(0644));
  EXPECT_EQ(load_policy(file, {}).allows.size(), 1U);
  EXPECT_THAT(error_of([&] { load_policy(directory.path(), {}); }), HasSubstr("is not a file"));
}

}  // namespace
}  // namespace flox::policy
