#include "cli/auth/browser_login.h"

#include <fcntl.h>

#include <condition_variable>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>

#include "base/data/base64url.h"
#include "base/data/bytes.h"
#include "base/data/random.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/net/server/http_server.h"
#include "base/net/url.h"
#include "base/os/fd.h"
#include "base/os/process.h"

namespace flox::cli {
namespace {

constexpr size_t random_size = 32;     // bytes; RFC 7636, section 4.1: 43 characters
constexpr size_t longest_code = 4096;  // bytes
constexpr const char* callback_path = "/callback";

// Takes the one answer that has this login's state. Thread-safe.
class Callback {
 public:
  using Parameters = std::map<std::string, std::string>;
  Callback(Secret state, std::function<void(const std::string&)> warn)
      : state_(std::move(state)),
        warn_(std::move(warn)),
        server_(options(), [this](const ServerRequest& request) { return answer(request); }) {}

  std::string url() const { return fmt::format("http://127.0.0.1:{}{}", server_.port(), callback_path); }
  std::optional<Parameters> wait(std::chrono::seconds patience) {
    std::unique_lock lock(mutex_);
    arrived_.wait_for(lock, patience, [&] { return parameters_.has_value(); });
    return parameters_;
  }

 private:
  static HttpServerOptions options() {
    return {
        .address = "127.0.0.1", .threads = 1, .stream_threads = 1, .read_only = true, .max_connections = 16};
  }
  static ServerResponse page(int status, std::string text) {
    return {.status = status,
            .body = std::move(text),
            .headers = {{"Cache-Control", "no-store"},
                        {"Referrer-Policy", "no-referrer"},
                        {"Content-Security-Policy", "default-src 'none'"}}};
  }
  ServerResponse answer(const ServerRequest& request) {
    if (request.path != callback_path) return page(404, "There is nothing here.\n");
    const auto state = request.query.find("state");
    const std::lock_guard lock(mutex_);
    if (parameters_ || state == request.query.end() || !state_.equals(state->second)) {
      warn_("an answer to another login came, and was refused");
      return page(400, "This is not the answer to the login that waits. Nothing was accepted.\n");
    }
    parameters_ = request.query;
    arrived_.notify_all();
    return page(200,
                "Go back to the terminal: it says whether you are logged in. You can close this page.\n");
  }

  const Secret state_;
  const std::function<void(const std::string&)> warn_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::optional<Parameters> parameters_;
  HttpServer server_;
};

std::string random_text() { return to_base64url(random_bytes(random_size)); }

std::string text_of(const Callback::Parameters& parameters, const char* key) {
  const auto found = parameters.find(key);
  return found == parameters.end() ? std::string() : found->second;
}

// The code, if the answer is of this issuer (RFC 9207): one who has made the user log in elsewhere would be
// given the code that counts here.
Secret code_in(const Callback::Parameters& parameters, const Issuer& issuer) {
  const auto from = parameters.find("iss");
  if (from != parameters.end() ? from->second != issuer.url()
                               : issuer.says("authorization_response_iss_parameter_supported"))
    fail(ErrorKind::untrusted, "the answer is of another issuer");
  if (const std::string error = text_of(parameters, "error"); !error.empty())
    Issuer::fail_with(error, text_of(parameters, "error_description"));
  Secret code(text_of(parameters, "code"));
  if (code.empty() || code.reveal().size() > longest_code)
    fail(ErrorKind::untrusted, "the answer has no code of 1 to {} bytes", longest_code);
  return code;
}

}  // namespace

Secret log_in_by_browser(const IssuerLogin& login, const std::function<void(const std::string& url)>& show,
                         const std::function<void(const std::string& text)>& warn,
                         std::chrono::seconds patience) {
  return in_context(fmt::format("logging in at {}", printable_url(login.issuer)), [&] {
    Issuer issuer(login.issuer);
    const std::string advice = "Log in with a code instead: flox auth login.";
    const std::string page = issuer.endpoint("authorization_endpoint", advice);
    const std::string token_url = issuer.endpoint("token_endpoint", advice);
    if (!issuer.lists("code_challenge_methods_supported", "S256"))
      throw Error(ErrorKind::unavailable, "the issuer has no PKCE with S256 (RFC 7636)", advice);
    const Secret state(random_text()), verifier(random_text());
    const std::string nonce = random_text();
    Callback callback(state, warn);
    const std::string redirect = callback.url();
    const std::string challenge = to_base64url(bytes_of(sha256(verifier.reveal())));
    show(
        fmt::format("{}{}response_type=code&client_id={}&redirect_uri={}&scope={}&state={}&nonce={}"
                    "&code_challenge={}&code_challenge_method=S256",
                    page, page.find('?') == std::string::npos ? '?' : '&', url_encode(login.client_id),
                    url_encode(redirect), url_encode(login.scope), state.reveal(), nonce, challenge));
    const auto parameters = callback.wait(patience);
    if (!parameters)
      throw Error(
          ErrorKind::unavailable, "nobody logged in in time",
          "Run 'flox auth login --browser' again; 'flox auth login' works from another machine, too.");
    const auto answer = issuer.ask(token_url, {{"grant_type", Secret("authorization_code")},
                                               {"code", code_in(*parameters, issuer)},
                                               {"redirect_uri", Secret(redirect)},
                                               {"client_id", Secret(login.client_id)},
                                               {"code_verifier", verifier}});
    if (!answer.ok) Issuer::fail_with(answer.document);
    return issuer.id_token(answer.document, login.client_id, nonce);
  });
}

bool open_page(const std::string& url) {
  const auto given = [](const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0' ? value : nullptr;
  };
  const char* browser = given("BROWSER");
  if (browser == nullptr && given("DISPLAY") == nullptr && given("WAYLAND_DISPLAY") == nullptr) return false;
  try {
    const Fd null = open_file("/dev/null", O_RDWR);
    Process process({.argv = {browser != nullptr ? browser : "xdg-open", url}},
                    {.out = null.get(), .err = null.get()});
    process.detach();
    return true;
  } catch (const Error&) {
    return false;  // the page's URL is shown, too
  }
}

}  // namespace flox::cli
