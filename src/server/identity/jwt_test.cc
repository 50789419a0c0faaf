#include "server/identity/jwt.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "server/testing/json_web_tokens.h"

namespace flox::server {
namespace {

using nlohmann::json;

json claims() {
  return {{"iss", "https://issuer"}, {"sub", "ci"}, {"aud", "catalog"}, {"exp", 2'000'000'000}};
}

std::string refusal(const std::string& token) {
  try {
    Jwt::parse(token);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_input);
    return error.what();
  }
  return "taken";
}

TEST(Jwt, a_token_of_each_algorithm_is_verified_by_its_key_and_by_no_other) {
  for (const char* algorithm : {"RS256", "ES256", "EdDSA"}) {
    const TestKey key(algorithm);
    const TestKey other(algorithm);
    const Jwt token = Jwt::parse(key.token(claims()));
    EXPECT_EQ(token.issuer, "https://issuer");
    EXPECT_EQ(token.audiences, std::vector<std::string>{"catalog"});
    EXPECT_TRUE(JsonWebKeys::parse(key.key_set()).verify(token)) << algorithm;
    EXPECT_FALSE(JsonWebKeys::parse(other.key_set()).verify(token)) << algorithm;
    Jwt changed = token;
    changed.signed_text.back() ^= 1;
    EXPECT_FALSE(JsonWebKeys::parse(key.key_set()).verify(changed)) << algorithm;
    changed = token;
    changed.signature.pop_back();
    EXPECT_FALSE(JsonWebKeys::parse(key.key_set()).verify(changed)) << algorithm;
    changed.signature.clear();
    EXPECT_FALSE(JsonWebKeys::parse(key.key_set()).verify(changed)) << algorithm;
  }
}

TEST(Jwt, no_other_algorithm_is_taken_whatever_the_signature) {
  const TestKey key("RS256");
  for (const char* algorithm : {"none", "None", "HS256", "RS384", "PS256", ""})
    EXPECT_NE(refusal(key.token(claims(), {{"alg", algorithm}, {"kid", "key-1"}})).find("'alg'"),
              std::string::npos)
        << algorithm;
  const std::string unsigned_text =
      to_base64url(R"({"alg":"none"})") + "." + to_base64url(claims().dump()) + ".";
  EXPECT_NE(refusal(unsigned_text), "taken");
  // The public key as the secret of a MAC, or a key of another kind: the algorithm chooses the key.
  const Jwt token = Jwt::parse(TestKey("ES256").token(claims(), {{"alg", "ES256"}, {"kid", "key-1"}}));
  EXPECT_FALSE(JsonWebKeys::parse(key.key_set()).has_key_for(token));
}

TEST(Jwt, what_is_missing_ill_typed_or_too_large_is_refused) {
  const TestKey key("EdDSA");
  for (const char* member : {"iss", "sub", "exp"}) {
    json without = claims();
    without.erase(member);
    EXPECT_NE(refusal(key.token(without)), "taken") << member;
  }
  for (const auto& [member, value] : {std::pair<const char*, json>{"iss", 1},
                                      {"sub", json::array()},
                                      {"aud", {{"a", 1}}},
                                      {"aud", {1}},
                                      {"aud", std::vector<std::string>(30, "x")},
                                      {"exp", "soon"},
                                      {"exp", -1},
                                      {"exp", 1e30},
                                      {"nbf", "x"},
                                      {"deep", json::parse(std::string(20, '[') + std::string(20, ']'))},
                                      {"large", std::string(13'000, 'x')}}) {
    json changed = claims();
    changed[member] = value;
    EXPECT_NE(refusal(key.token(changed)), "taken") << member << " " << value;
  }
  EXPECT_NE(refusal(key.token(claims(), {{"alg", "EdDSA"}, {"crit", {"b64"}}})), "taken");
  for (const std::string& text :
       std::vector<std::string>{"", ".", "..", "a.b", "a.b.c.d", std::string(20'000, 'a'), "e30.e30."})
    EXPECT_NE(refusal(text), "taken") << text;
}

TEST(Jwt, a_key_is_chosen_by_its_id_and_never_by_guessing_among_several) {
  const TestKey one("EdDSA", "one");
  const TestKey two("EdDSA", "two");
  const auto keys = JsonWebKeys::parse(json({{"keys", {one.jwk(), two.jwk()}}}).dump());
  EXPECT_TRUE(keys.verify(Jwt::parse(two.token(claims()))));
  EXPECT_FALSE(keys.has_key_for(Jwt::parse(two.token(claims(), {{"alg", "EdDSA"}, {"kid", "three"}}))));
  EXPECT_FALSE(keys.has_key_for(Jwt::parse(two.token(claims(), {{"alg", "EdDSA"}}))));
  EXPECT_TRUE(JsonWebKeys::parse(two.key_set()).verify(Jwt::parse(two.token(claims(), {{"alg", "EdDSA"}}))));
}

TEST(JsonWebKeys, keys_that_cannot_sign_here_are_left_out_and_weak_or_malformed_ones_refused) {
  const json good = TestKey("RS256").jwk();
  const auto with = [&](const char* member, json value) {
    json key = good;
    key[member] = std::move(value);
    return json({{"keys", {key}}}).dump();
  };
  EXPECT_EQ(JsonWebKeys::parse(with("use", "enc")).size(), 0u);
  EXPECT_EQ(JsonWebKeys::parse(with("kty", "oct")).size(), 0u);
  EXPECT_EQ(JsonWebKeys::parse(with("alg", "RS512")).size(), 0u);
  EXPECT_EQ(JsonWebKeys::parse(with("kid", "x")).size(), 1u);
  for (const auto& text : {with("n", to_base64url(std::string(128, '\xff'))), with("n", "="), with("n", 1),
                           with("e", "AQ"), with("n", to_base64url(std::string(2000, '\xff'))),
                           std::string("[]"), std::string("{}"), std::string(R"({"keys":1})"),
                           json({{"keys", std::vector<json>(101, good)}}).dump(), std::string(300'000, ' ')})
    EXPECT_THROW(JsonWebKeys::parse(text), Error) << text.substr(0, 100);
  json point = TestKey("ES256").jwk();
  point["x"] = to_base64url(std::string(32, '\xff'));
  EXPECT_THROW(JsonWebKeys::parse(json({{"keys", {point}}}).dump()), Error);
}

}  // namespace
}  // namespace flox::server
