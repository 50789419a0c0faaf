// The cookie of those who sign in at the pages: what of it counts, and where.
#pragma once  // Fuzzed by fuzz/page_cookie.cc.

#include <optional>
#include <string>
#include <string_view>

#include "base/net/code_login.h"
#include "base/net/server/http_server.h"

namespace flox::server {

// A name with __Host- is taken by browsers only with Secure and without Domain: no other host can have set
// it.
inline constexpr std::string_view secure_cookie_name = "__Host-flox-session";
inline constexpr std::string_view plain_cookie_name =
    "flox-session";  // on the loopback interface, without TLS

// Which of the two a catalog of that address has: the plain one only for http on the loopback interface, for
// elsewhere a neighbour could set it, and so sign somebody in as somebody else. It does not go by the
// request's Host: a proxy on the same machine may say "127.0.0.1" there.
std::string_view cookie_name_for(std::string_view public_url) noexcept;

// Whether the request is one at which a cookie counts: a page that is read, or signing out.
bool takes_cookie(const ServerRequest& request);
// The value of the cookie of that name, at a request that takes it; empty: none, or none of a form that we
// give.
std::string session_cookie(const ServerRequest& request, std::string_view name);
// Whether what is answered may depend on who asks: it brings a token in a header or a cookie, of either name.
bool is_personal(const ServerRequest& request);
// Where a browser may be sent after it has signed in: an address of this catalog, percent-encoded, at most
// 1,000 bytes. What is none is "/".
std::string local_address(std::string_view text);

// A login that has begun, as it stands in the cookie.
struct PendingLogin {
  CodeLogin login;
  std::string to;  // a local_address()

  std::string to_cookie() const;
  // Nothing if it is no such cookie.
  static std::optional<PendingLogin> parse(std::string_view cookie);
};

}  // namespace flox::server
