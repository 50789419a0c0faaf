// What somebody who wants a token of the catalog sends: a JSON Web Token; and the keys of its issuer. The
// input's first line is the token, the rest the keys.
#include "server/identity/jwt.h"

#include "base/data/base64url.h"
#include "fuzz.h"

namespace flox::fuzz::of_jwt {

void one(std::string_view input) {
  const std::string_view token_text = take_until(input, '\n');
  std::string bytes;
  if (accepts([&] { bytes = from_base64url(token_text); }))
    require(to_base64url(bytes) == token_text, "bytes have one text");
  const std::string keys_text = expanded(input);
  server::JsonWebKeys keys;
  accepts([&] { keys = server::JsonWebKeys::parse(keys_text); });
  require(keys.size() <= 100, "keys are few");
  server::Jwt token;
  if (!accepts([&] { token = server::Jwt::parse(token_text); })) return;
  require(token.algorithm == "RS256" || token.algorithm == "ES256" || token.algorithm == "EdDSA",
          "no other algorithm is taken");
  require(token.expires_at > 0, "a token expires");
  require(token_text.starts_with(token.signed_text) && token.signed_text.size() < token_text.size(),
          "what was signed stands in the token");
  if (keys.verify(token))
    require(keys.has_key_for(token) && !token.signature.empty(), "a key has verified it");
}

}  // namespace flox::fuzz::of_jwt
