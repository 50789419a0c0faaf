// HTTP client over libcurl: connections are kept and re-used, redirects of GET and HEAD followed by the rules
// of http_redirect.h, errors become Error(unavailable). Proxies come from curl's variables (https_proxy,
// no_proxy, …), certificates from NIX_SSL_CERT_FILE or SSL_CERT_FILE or the system. Passwords are the
// caller's to bring (netrc.h): this reads no file of secrets. Bodies are taken as they come, in no
// Content-Encoding.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/data/bytes.h"
#include "base/data/secret.h"
#include "base/net/url.h"

namespace flox {

// The most bytes that a body may have. Without a default: every request says it.
struct BodyLimit {
  uint64_t bytes;
  constexpr explicit BodyLimit(uint64_t limit) : bytes(limit) {}
};

struct HttpRequest {
  std::string method = "GET";
  std::string url;  // http or https; a user and password in it count as `login`
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;                           // sent with its length unless `upload` is given
  std::optional<std::string> upload_file;     // path of a file to stream as the body
  std::chrono::milliseconds timeout{60'000};  // for the whole exchange; zero: none
  std::chrono::milliseconds connect_timeout{15'000};
  std::chrono::seconds stall_timeout{60};  // a transfer under 1 byte/s for so long fails
  // Sent to the URL's own origin (scheme, host and port) only, as the headers are; a redirect does not take
  // them along.
  std::optional<Login> login;  // Basic
  Secret bearer;               // Bearer
  bool is_direct = false;      // through no proxy, whatever the variables say
  BodyLimit max_body;          // a larger body is Error(invalid_input)
};

struct HttpResponse {
  int status = 0;                              // 200, 404, …
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;         // empty if it was streamed; of a status that is not 2xx its first 64 KiB
  bool is_foreign = false;  // a redirect led to another origin, which gave this answer
  bool ok() const noexcept { return status >= 200 && status < 300; }
};

class Redirects;

// One thread at a time. Make one per thread: each keeps its own connections.
class HttpClient {
 public:
  HttpClient();
  HttpClient(HttpClient&&) noexcept;
  ~HttpClient();

  // Sends and waits. Any status is a response, a redirect that is not followed, too. Throws Error, naming the
  // URL without its secrets: unavailable if there is none (no connection, time-out, broken transfer),
  // untrusted for a redirect that must not be followed, invalid_input for an answer over the limits (of
  // headers: 128 lines, 64 KiB).
  HttpResponse send(const HttpRequest& request);
  // The same, giving the body of a 2xx response to `sink` piece by piece; what `sink` throws is rethrown.
  HttpResponse stream(const HttpRequest& request, const ByteSink& sink);

  // Makes `wait_cancelled` (checked at least once a second) able to abort a transfer: Error(unavailable).
  void set_cancel_check(std::function<bool()> cancelled);

 private:
  HttpResponse exchange(Redirects& way, const ByteSink& sink);

  struct State;
  std::unique_ptr<State> state_;
};

// "a b/c" -> "a%20b%2Fc" (RFC 3986 unreserved characters stay; '/' stays if keep_slash).
std::string url_encode(std::string_view text, bool keep_slash = false);
// "%20" and, if plus_is_space, "+" back to what they stand for; malformed escapes stay as they are.
std::string url_decode(std::string_view text, bool plus_is_space = false);

}  // namespace flox
