// Logging in at an OpenID Connect issuer from a terminal: the device authorization grant (RFC 8628). The user
// opens a page in any browser, on any machine, and enters a code.
#pragma once

#include <functional>
#include <string>

#include "base/data/secret.h"
#include "base/net/issuer.h"

namespace flox::cli {

// What the user is asked to do. `complete_url` has the code in it; empty: the issuer gave none.
struct DeviceCode {
  std::string url, code, complete_url;
};

// Gives the ID token. Waits for the user, as long as the issuer does, an hour at most. Throws Error:
// untrusted if the user or the issuer refuses, unavailable if the code expires or the issuer cannot be
// reached.
Secret log_in_by_device(const IssuerLogin& login, const std::function<void(const DeviceCode&)>& show);

}  // namespace flox::cli
