// Who is signed in at the pages. A browser that has been at the issuer brings a token of the catalog in a
// cookie: it lasts for half a day, reads only, and is given up by signing out. Between the two the same
// cookie has what this login waits for, so that any replica can complete it. The API and the cache take no
// cookies.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/net/code_login.h"
#include "base/net/server/http_server.h"
#include "server/identity/exchange.h"
#include "server/identity/page_cookie.h"

namespace flox::server {

struct PageLoginOptions {
  std::string public_url;  // of this catalog; empty: nobody signs in at the pages
  std::string client_id;   // at the issuer; empty: that of `flox auth login`
  Secret client_secret;    // empty: the client has none
  std::chrono::seconds lasts = std::chrono::hours(12);
};

// Thread-safe. begin() and complete() may wait for the issuer, ten seconds for each question. Of complete()
// the third at once fails, and one call at a time asks for the issuer's configuration: others take the one
// that is known, or fail. So a slow issuer holds three threads at most, and not those that answer everybody
// else.
class PageSessions {
 public:
  // `exchange` must outlive it. Off without an issuer, and for a public URL without https, but of the
  // loopback interface: the cookie would be everybody's on the way.
  PageSessions(Exchange& exchange, PageLoginOptions options);

  bool is_on() const noexcept { return !redirect_.empty(); }

  struct Begun {
    std::string page;    // of the issuer
    std::string cookie;  // the value of Set-Cookie
  };
  Begun begin(const std::string& to);
  struct Completed {
    std::string to, cookie;
    Token token;
  };
  // `request`: what the issuer has made the browser ask, with its cookie and the answer in the query. Throws
  // Refusal ("exchange") for an answer that is not to the login in the cookie, or that the issuer or the
  // exchange refuses; Error(unavailable).
  Completed complete(const ServerRequest& request);
  // The Set-Cookie that takes it away.
  std::string no_cookie() const { return set_cookie("", std::chrono::seconds(0)); }
  // Whether the request comes from one of our own pages: else another site could sign somebody out.
  bool is_from_here(const ServerRequest& request) const;

 private:
  std::shared_ptr<const Issuer> issuer();
  std::string set_cookie(std::string_view value, std::chrono::seconds lasts) const;

  Exchange& exchange_;
  PageLoginOptions options_;
  IssuerLogin at_;
  std::string redirect_;  // empty: off
  std::string origin_;
  std::string_view cookie_name_;
  std::mutex mutex_;
  std::shared_ptr<const Issuer> issuer_;
  std::chrono::steady_clock::time_point asked_{};  // when that ended
  bool is_being_asked_ = false;
  std::atomic<int> waiting_{0};
};

}  // namespace flox::server
