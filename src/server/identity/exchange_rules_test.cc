#include "server/identity/exchange_rules.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::server {
namespace {

constexpr const char* rule = R"([[rule]]
issuer = "https://issuer"
audience = "catalog"
subject = "repo:acme/*:ref:refs/heads/main"
owner = "acme"
role = "publish"
minutes = 10
claims = { environment = "prod*" }
)";

std::string complaint(const std::string& text) {
  try {
    parse_exchange_rules(text, "rules.toml");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_input);
    return error.what();
  }
  return "none";
}

Jwt token() {
  Jwt token;
  token.issuer = "https://issuer";
  token.subject = "repo:acme/web:ref:refs/heads/main";
  token.audiences = {"other", "catalog"};
  token.claims = {{"environment", "production"}};
  return token;
}

TEST(ExchangeRules, a_rule_admits_what_fits_all_that_it_says) {
  const auto rules = parse_exchange_rules(rule, "rules.toml");
  ASSERT_EQ(rules.size(), 1u);
  EXPECT_EQ(rules[0].owner, "acme");
  EXPECT_EQ(rules[0].lasts, std::chrono::minutes(10));
  EXPECT_TRUE(rules[0].admits(token()));
  for (const auto& change : std::vector<std::function<void(Jwt&)>>{
           [](Jwt& t) { t.issuer = "https://issuer/"; }, [](Jwt& t) { t.audiences = {"other"}; },
           [](Jwt& t) { t.audiences.clear(); },
           [](Jwt& t) { t.subject = "repo:acme/web:ref:refs/heads/main2"; },
           [](Jwt& t) { t.subject = "repo:evil/acme:ref:refs/heads/main"; },
           [](Jwt& t) { t.claims["environment"] = "test"; }, [](Jwt& t) { t.claims["environment"] = 1; },
           [](Jwt& t) { t.claims.erase("environment"); }}) {
    Jwt changed = token();
    change(changed);
    EXPECT_FALSE(rules[0].admits(changed));
  }
}

TEST(ExchangeRules, what_is_wrong_is_named_with_its_place) {
  const std::string text = rule;
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string changed = text;
    changed.replace(changed.find(from), from.size(), to);
    return complaint(changed);
  };
  EXPECT_EQ(replaced("minutes = 10", "minuts = 10"), "rules.toml:7:10: 'minuts' is not a key of a rule");
  EXPECT_EQ(replaced("owner = \"acme\"\n", ""), "rules.toml:1:1: the rule has no 'owner'");
  EXPECT_EQ(replaced("\"publish\"", "\"admin\""),
            "rules.toml:6:8: 'role' is neither \"read\" nor \"publish\"");
  EXPECT_NE(replaced("minutes = 10", "minutes = 0").find("from 1 to 1440"), std::string::npos);
  EXPECT_NE(replaced("https://issuer", "http://issuer").find("https"), std::string::npos);
  EXPECT_NE(replaced("\"acme\"", "\"a/b\""), "none");
  EXPECT_NE(replaced("\"prod*\"", "1"), "none");
  EXPECT_NE(replaced("[[rule]]", "[rule]"), "none");
  EXPECT_NE(complaint("rules = 1"), "none");
  EXPECT_EQ(complaint(""), "none");
}

}  // namespace
}  // namespace flox::server
