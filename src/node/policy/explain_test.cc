#include "node/policy/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/policy/reader.h"

namespace flox::policy {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string rules = R"([[allow]]
name = "shop"
namespaces = ["shop-*"]
service_accounts = ["checkout"]
packages = ["python3@>=3.11"]
signers = ["acme-1"]
closure_size = "2G"
[[allow]]
name = "build"
namespaces = ["ci"]
install = true
[[deny]]
name = "old-ssl"
packages = ["openssl@<3.0.7"]
reason = "CVE-2022-3602"
)";

TEST(ExplainTest, SaysEveryRuleInPlainWords) {
  const std::string text = explain(read_policy(rules, "policy.toml", {.install = false}), {});
  EXPECT_THAT(text, HasSubstr("- old-ssl (line 12): all namespaces: CVE-2022-3602"));
  EXPECT_THAT(text, HasSubstr("1. shop (line 1): namespaces shop-*, service accounts checkout"));
  EXPECT_THAT(text, HasSubstr("packages      python3@>=3.11"));
  EXPECT_THAT(text, HasSubstr("one of acme-1 must have signed it"));
  EXPECT_THAT(text, HasSubstr("install       no (the node's setting)"));
  EXPECT_THAT(text, HasSubstr("closure       at most 2.0 GiB"));
  EXPECT_THAT(text, HasSubstr("2. build (line 8)"));
  EXPECT_THAT(text, HasSubstr("nothing but containers without an environment"));
}

TEST(ExplainTest, OfANamespaceSaysWhatCanBeForItsPods) {
  const Policy policy = read_policy(rules, "policy.toml");
  EXPECT_THAT(explain(policy, "ci"), HasSubstr("1. build"));
  EXPECT_THAT(explain(policy, "ci"), Not(HasSubstr("shop (")));
  EXPECT_THAT(explain(policy, "ci"), HasSubstr("old-ssl"));
  EXPECT_THAT(explain(policy, "other"), HasSubstr("these pods do not start"));
}

TEST(ExplainTest, WithoutAPolicySaysTheSettings) {
  EXPECT_THAT(explain({.file = {}, .defaults = {.install = false}}, {}), HasSubstr("they may not install"));
}

}  // namespace
}  // namespace flox::policy
