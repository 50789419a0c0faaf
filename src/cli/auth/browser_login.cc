#include "cli/auth/browser_login.h"

#include <fcntl.h>

#include <condition_variable>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>

#include "base/error.h"
#include "base/net/code_login.h"
#include "base/net/server/http_server.h"
#include "base/net/url.h"
#include "base/os/fd.h"
#include "base/os/process.h"

namespace flox::cli {
namespace {

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

}  // namespace

Secret log_in_by_browser(const IssuerLogin& login, const std::function<void(const std::string& url)>& show,
                         const std::function<void(const std::string& text)>& warn,
                         std::chrono::seconds patience) {
  return in_context(fmt::format("logging in at {}", printable_url(login.issuer)), [&] {
    const Issuer issuer(login.issuer);
    const CodeLogin begun = CodeLogin::begin();
    Callback callback(begun.state, warn);
    const std::string redirect = callback.url();
    show(page_of(begun, issuer, login, redirect, "Log in with a code instead: flox auth login."));
    const auto answer = callback.wait(patience);
    if (!answer)
      throw Error(
          ErrorKind::unavailable, "nobody logged in in time",
          "Run 'flox auth login --browser' again; 'flox auth login' works from another machine, too.");
    return id_token_of(begun, issuer, login, redirect, *answer);
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
