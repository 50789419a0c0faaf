#include "node/policy/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/policy/reader.h"

namespace flox::policy {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string admission_of(const std::string& rules) {
  return admission(read_policy(rules, "policy.toml"), "flox-policy");
}

// test/cluster/admission.sh has an API server read them.
TEST(AdmissionTest, HasTheRulesAsExpressions) {
  const std::string text = admission_of(R"([[allow]]
name = "shop"
namespaces = ["shop", "shop-*"]
service_accounts = ["checkout"]
environments = ["acme/web"]
packages = ["python3@>=3.11"]
[[allow]]
name = "all"
namespaces = ["*"]
nix_mutable = true
)");
  EXPECT_THAT(text, HasSubstr("kind: ValidatingAdmissionPolicy\n"));
  EXPECT_THAT(text, HasSubstr("kind: ValidatingAdmissionPolicyBinding\n"));
  EXPECT_THAT(text, HasSubstr(R"("[request.namespace.matches(\"^(?:shop|shop-[^/]*)$\") && )"
                              R"re(variables.account.matches(\"^(?:checkout)$\"), true].indexOf(true)")re"));
  EXPECT_THAT(
      text,
      HasSubstr(R"(w.matches(\"^(?:acme/web)(?::[0-9]+)?$\") || w.matches(\"^(?:python3)(?:@.*)?$\"))"));
  EXPECT_THAT(
      text,
      HasSubstr("# rule 'shop' (policy.toml:1): the node decides about versions, what pods install.\n"));
  EXPECT_THAT(text, HasSubstr("rule 'shop' (policy.toml:1) does not allow containers to change /nix"));
  EXPECT_THAT(text, Not(HasSubstr("rule 'all' (policy.toml:7) does not allow containers to change /nix")));
}

TEST(AdmissionTest, LeavesToTheNodeWhatItCannotSee) {
  const std::string text = admission_of(R"([[deny]]
name = "old-ssl"
packages = ["openssl@<3.0.7"]
[[allow]]
name = "all"
namespaces = ["*"]
owners = ["acme"]
signers = ["acme-1"]
closure_size = "1G"
)");
  EXPECT_THAT(text, HasSubstr("# rule 'old-ssl' (policy.toml:1): the node decides about versions"));
  EXPECT_THAT(text, Not(HasSubstr("openssl")));
  EXPECT_THAT(
      text,
      HasSubstr("the node decides about signers, owners of packages, the closure's size, what pods install"));
  EXPECT_THAT(text, HasSubstr(R"(w.matches(\"^(?:acme)/.*$\") || w.matches(\"^[^/]+$\"))"));
}

TEST(AdmissionTest, WhatLooksLikeAnExpressionStaysText) {
  const std::string text = admission_of("[[allow]]\nname = \"a\"\nnamespaces = ['x\")||true||(\"']\n");
  EXPECT_THAT(text, HasSubstr(R"(x\\\"\\\\)\\\\|\\\\|true\\\\|\\\\|\\\\(\\\")"));
}

}  // namespace
}  // namespace flox::policy
