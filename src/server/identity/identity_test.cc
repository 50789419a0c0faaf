#include "server/identity/identity.h"

#include <gtest/gtest.h>

#include "base/data/bytes.h"
#include "base/os/file.h"
#include "server/records/clock.h"
#include "server/testing/database.h"

namespace flox::server {
namespace {

class IdentityTest : public testing::Test {
 protected:
  Secret make(Token token) { return identity_.create(token); }
  std::shared_ptr<const Caller> caller(const std::string& authorization) {
    return identity_.caller_of({.headers = {{"authorization", authorization}}});
  }
  std::shared_ptr<const Caller> caller(const Secret& token) { return caller("Bearer " + token.reveal()); }

  TempDir dir_;
  TestDatabase test_database_{dir_.path()};
  std::unique_ptr<Database> database_ = test_database_.open();
  OwnerRecords owners_{*database_};
  TokenRecords tokens_{*database_};
  Identity identity_{Secret("sesame"), owners_, tokens_};
};

TEST_F(IdentityTest, a_token_is_brought_as_bearer_or_as_the_password_of_a_login) {
  EXPECT_TRUE(caller("Bearer sesame")->is_operator);
  EXPECT_TRUE(caller("bearer sesame")->is_operator);
  EXPECT_TRUE(caller("Basic " + to_base64("anybody:sesame"))->is_operator);
  for (const std::string& text :
       std::vector<std::string>{"", "sesame", "Bearer", "Bearer ", "Bearer sesam", "Basic sesame",
                                "Basic " + to_base64("sesame"), "Basic %", "Digest sesame"})
    EXPECT_TRUE(caller(text)->is_nobody()) << text;
  EXPECT_EQ(identity_.caller_of({})->problem, "");
  EXPECT_EQ(caller("Bearer wrong")->problem, "unknown_token");
}

TEST_F(IdentityTest, without_an_operators_token_nobody_is_the_operator) {
  const Identity none(Secret(), owners_, tokens_);
  EXPECT_FALSE(none.caller_of({.headers = {{"authorization", "Bearer "}}})->is_operator);
  EXPECT_FALSE(none.caller_of({.headers = {{"authorization", "Basic " + to_base64("x:")}}})->is_operator);
}

TEST_F(IdentityTest, a_users_token_allows_what_the_user_and_the_token_may) {
  owners_.create({.name = "acme"});
  owners_.put_member("acme", {.user = "ada", .role = Role::admin});
  owners_.put_member("beta", {.user = "ada", .role = Role::read});
  const Secret all = make({.user = "ada", .role = Role::publish});
  EXPECT_EQ(caller(all)->role_for("acme"), Role::publish);
  EXPECT_EQ(caller(all)->role_for("beta"), Role::read);
  EXPECT_EQ(caller(all)->role_for("gamma"), Role::none);
  const Secret one = make({.user = "ada", .owner = "acme", .role = Role::admin});
  EXPECT_EQ(caller(one)->role_for("acme"), Role::admin);
  EXPECT_EQ(caller(one)->role_for("beta"), Role::none);
  owners_.remove_member("acme", "ada");
  identity_.forget();
  EXPECT_EQ(caller(one)->role_for("acme"), Role::none);
}

TEST_F(IdentityTest, expired_and_revoked_tokens_say_so) {
  const Secret expired = make({.owner = "acme", .role = Role::publish, .expires_at = unix_time() - 1});
  EXPECT_EQ(caller(expired)->problem, "expired_token");
  Token token{.owner = "acme", .role = Role::publish};
  const Secret secret = identity_.create(token);
  EXPECT_TRUE(caller(secret)->may(Role::publish, "acme"));
  EXPECT_TRUE(identity_.revoke(token.id));
  EXPECT_EQ(caller(secret)->problem, "revoked_token");
  EXPECT_FALSE(identity_.revoke(token.id));
  std::string other = secret.reveal();
  other.back() = other.back() == '0' ? '1' : '0';
  EXPECT_EQ(caller(Secret(other))->problem, "unknown_token");
}

TEST_F(IdentityTest, the_database_has_no_token_and_its_use_is_noted) {
  Token token{.owner = "acme", .role = Role::publish};
  const Secret secret = identity_.create(token);
  EXPECT_TRUE(secret.reveal().starts_with(token.id + "_"));
  const std::string hidden = secret.reveal().substr(token.id.size() + 1);
  EXPECT_EQ(hidden.size(), 64u);
  for (const auto& file : fs::directory_iterator(dir_.path()))
    EXPECT_EQ(read_file(file.path()).find(hidden), std::string::npos) << file.path();
  EXPECT_EQ(tokens_.find_by_id(token.id)->last_used_at, 0);
  identity_.note_use(*caller(secret));
  EXPECT_GE(tokens_.find_by_id(token.id)->last_used_at, unix_time() - 5);
}

}  // namespace
}  // namespace flox::server
