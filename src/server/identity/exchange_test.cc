#include "server/identity/exchange.h"

#include <gtest/gtest.h>

#include "base/os/file.h"
#include "server/records/clock.h"
#include "server/testing/database.h"
#include "server/testing/json_web_tokens.h"

namespace flox::server {
namespace {

using nlohmann::json;

class ExchangeTest : public testing::Test {
 protected:
  ExchangeTest() {
    write_file(dir_.path() / "keys.json", key_.key_set());
    ExchangeRule rule{.issuer = "https://ci",
                      .keys_file = dir_.path() / "keys.json",
                      .audience = "catalog",
                      .subject = "repo:acme/*",
                      .claims = {},
                      .owner = "acme"};
    exchange_.emplace(identity_, LoginOptions{}, std::vector{rule});
  }
  json claims(int64_t expires_in = 300) {
    return {{"iss", "https://ci"},
            {"sub", "repo:acme/web"},
            {"aud", "catalog"},
            {"exp", unix_time() + expires_in}};
  }
  // Why it was refused; empty if it was not.
  std::string refusal(const std::string& token, bool is_login = false) {
    try {
      exchange_->exchange(token, is_login);
    } catch (const Refusal& error) {
      EXPECT_STREQ(error.reason(), "exchange");
      return error.what();
    }
    return {};
  }
  std::string refusal_with(const char* claim, json value) {
    json changed = claims();
    changed[claim] = std::move(value);
    return refusal(key_.token(changed));
  }

  TempDir dir_;
  TestKey key_{"ES256"};
  TestDatabase test_database_{dir_.path()};
  std::unique_ptr<Database> database_ = test_database_.open();
  OwnerRecords owners_{*database_};
  TokenRecords tokens_{*database_};
  Identity identity_{Secret("operator"), owners_, tokens_};
  std::optional<Exchange> exchange_;
};

TEST_F(ExchangeTest, a_workload_gets_a_short_token_of_the_owner_that_its_rule_names) {
  const auto made = exchange_->exchange(key_.token(claims()), false);
  EXPECT_EQ(made.token.owner, "acme");
  EXPECT_LE(made.token.expires_at, unix_time() + 15 * 60);
  const auto caller = identity_.caller_of({.headers = {{"authorization", "Bearer " + made.secret.reveal()}}});
  EXPECT_TRUE(caller->may(Role::publish, "acme"));
  EXPECT_FALSE(caller->may(Role::admin, "acme"));
  EXPECT_FALSE(caller->may(Role::read, "other"));
}

TEST_F(ExchangeTest, what_is_forged_expired_early_or_for_somebody_else_is_refused) {
  EXPECT_NE(refusal("x"), "");
  EXPECT_NE(refusal(TestKey("ES256").token(claims())).find("signature"), std::string::npos);
  EXPECT_NE(refusal(TestKey("ES256", "other").token(claims())).find("key"), std::string::npos);
  EXPECT_NE(refusal(key_.token(claims(-120))).find("expired"), std::string::npos);
  EXPECT_NE(refusal_with("nbf", unix_time() + 600).find("not valid yet"), std::string::npos);
  EXPECT_NE(refusal_with("aud", "other"), "");
  EXPECT_NE(refusal_with("iss", "https://evil"), "");
  EXPECT_NE(refusal_with("sub", "repo:evil/web"), "");
  EXPECT_NE(refusal(key_.token(claims(), {{"alg", "none"}})), "");
  EXPECT_EQ(refusal_with("nbf", unix_time() + 30), "") << "clocks differ a little";
  EXPECT_TRUE(tokens_.list("", "", 10).size() == 1);
}

TEST_F(ExchangeTest, a_workloads_token_logs_nobody_in) { EXPECT_NE(refusal(key_.token(claims()), true), ""); }

TEST_F(ExchangeTest, keys_that_the_issuer_changes_are_read_again) {
  const TestKey next("EdDSA", "next");
  EXPECT_NE(refusal(next.token(claims())), "");
  fs::remove(dir_.path() / "keys.json");
  write_file(dir_.path() / "keys.json", next.key_set());
  EXPECT_EQ(refusal(next.token(claims())), "");
  EXPECT_NE(refusal(key_.token(claims())), "");
  write_file(dir_.path() / "keys.json", "damaged");
  EXPECT_EQ(refusal(next.token(claims())), "") << "the keys that are known stay in use";
}

TEST(Issuer, is_an_https_url_but_on_this_machine) {
  for (const char* issuer :
       {"https://issuer", "https://issuer/a/b", "http://127.0.0.1:5556/dex", "http://localhost"})
    EXPECT_NO_THROW(check_issuer(issuer)) << issuer;
  for (const char* issuer : {"", "issuer", "http://issuer", "ftp://issuer", "https://me:x@issuer",
                             "https://issuer?a", "https://issuer#a", "http://10.0.0.1"})
    EXPECT_THROW(check_issuer(issuer), Error) << issuer;
}

}  // namespace
}  // namespace flox::server
