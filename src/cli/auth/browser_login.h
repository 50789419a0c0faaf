// Logging in at an OpenID Connect issuer with a browser on this machine: the authorization code grant with
// PKCE (RFC 7636), whose answer comes to a port of the loopback interface (RFC 8252, section 7.3).
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "base/data/secret.h"
#include "base/net/issuer.h"

namespace flox::cli {

// Gives the ID token. `show` gets the page that the user opens. `warn` is told of answers that are not to
// this login, which are refused: others on the machine reach the port, too, so they do not end it. Throws
// Error: untrusted if the user or the issuer refuses, or if the answer is not this issuer's; unavailable if
// nobody logs in within `patience` or the issuer cannot be reached.
Secret log_in_by_browser(const IssuerLogin& login, const std::function<void(const std::string& url)>& show,
                         const std::function<void(const std::string& text)>& warn,
                         std::chrono::seconds patience = std::chrono::minutes(5));

// Opens the page with $BROWSER, or with xdg-open where there is a desktop. False if there is neither.
bool open_page(const std::string& url);

}  // namespace flox::cli
