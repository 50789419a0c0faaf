// The way of one exchange through redirects, and which addresses it may connect to on it. Internal to the
// HTTP client and pool. The rules are those of docs/reference/redirects.md:
//
//   - GET and HEAD are redirected, other methods never; at most five times; to http or https, never from
//   https to
//     http; never to a URL with a user or password.
//   - To another origin (scheme, host, port) go no headers but those that name a range, no bearer token, no
//   login.
//   - Another origin is reached only in a network that the first server's network may lead to (may_lead),
//   judged
//     by the address that is connected to, not by the one that a name had before. A URL whose host is an
//     address may lead to the same address again.
//   - A host name that resolves to a link-local address is not connected to, redirected or not.
//   - A server that must be this user's own (own_listener.h) is asked only if it is.
//
// Behind a proxy the proxy connects, and only hosts that are addresses can be judged.
#pragma once

#include <optional>

#include "base/error.h"
#include "base/net/curl_library.h"
#include "base/net/http_client.h"
#include "base/net/url.h"

namespace flox {

class Redirects {
 public:
  static constexpr int max_hops = 5;

  // Throws Error(invalid_input) if the request's URL is none of HTTP's.
  explicit Redirects(HttpRequest first);
  Redirects(const Redirects&) = delete;
  Redirects& operator=(const Redirects&) = delete;

  // What is to be sent now. Stays in place until follow().
  const HttpRequest& request() const noexcept { return now_; }
  // Whether the answer came from another origin than the one that was named.
  bool is_foreign() const noexcept { return foreign_; }
  // Makes the handle refuse addresses that this exchange may not connect to. This must outlive the exchange.
  void guard(CURL* handle);
  // Once the exchange on the handle is over with this status: whether it goes on elsewhere; request() is then
  // the next. Throws Error(untrusted) if it must not go there.
  bool follow(CURL* handle, long status);
  // Why the last exchange failed, if it was for its address.
  const std::optional<Error>& refusal() const noexcept { return refusal_; }

 private:
  bool admits(Network network) const noexcept;
  void refuse(Network network);
  static curl_socket_t on_socket(void* user, curlsocktype purpose, curl_sockaddr* address);
  static int on_own_connected(void* user, char* remote, char* local, int remote_port, int local_port);
  static int on_connected(void* user, char* remote, char* local, int remote_port, int local_port);

  HttpRequest now_;
  HttpUrl first_url_;
  HttpUrl url_;
  std::optional<Network> from_;  // the first server's network, once it has sent us on
  bool foreign_ = false;
  int hops_ = 0;
  std::string proxy_;  // what the environment names for the current URL; empty: none
  std::optional<Error> refusal_;
};

// The proxy that the environment names for a URL (http_proxy, https_proxy, all_proxy; no_proxy), as curl
// reads it; empty: none.
std::string proxy_for(const HttpUrl& url);

}  // namespace flox
