// Logging in at an OpenID Connect issuer by the authorization code grant with PKCE (RFC 6749, section 4.1;
// RFC 7636; OpenID Connect Core 1.0, section 3.1): the user's browser is sent to the issuer's page, and comes
// back with a code. State, nonce, code_verifier and the issuer's name (RFC 9207) bind the answer to this
// login.
#pragma once  // Not fuzzed: what the issuer answers is read by base/net/issuer.h.

#include <map>
#include <string>

#include "base/data/secret.h"
#include "base/net/issuer.h"

namespace flox {

// What is known of a login between the two.
struct CodeLogin {
  Secret state, verifier;
  std::string nonce;

  static CodeLogin begin();
};

// The page to which the browser is sent. `redirect` is the URL to which it comes back, which the issuer has
// registered. Throws Error(unavailable), with `advice`, for an issuer without this grant or without PKCE by
// S256.
std::string page_of(const CodeLogin& login, const Issuer& issuer, const IssuerLogin& at,
                    const std::string& redirect, const std::string& advice);

// The ID token for the code that has come back. `answer` is the query of `redirect`; its state is the
// caller's to compare, in whatever way finds the login that waits. Throws Error: untrusted if the user or the
// issuer refuses or if the answer is not this issuer's and this login's, unavailable if the issuer cannot be
// reached.
Secret id_token_of(const CodeLogin& login, const Issuer& issuer, const IssuerLogin& at,
                   const std::string& redirect, const std::map<std::string, std::string>& answer);

}  // namespace flox
