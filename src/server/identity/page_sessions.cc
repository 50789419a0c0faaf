#include "server/identity/page_sessions.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "base/net/url.h"

namespace flox::server {
namespace {

constexpr std::string_view callback = "/login/callback";
constexpr auto login_lasts = std::chrono::minutes(10);
constexpr auto configuration_holds = std::chrono::hours(1);
constexpr auto pause_after_failure = std::chrono::seconds(10);  // between two questions for it that failed
constexpr auto issuer_timeout = std::chrono::seconds(10);
constexpr int most_waiting = 2;

[[noreturn]] void refuse_sign_in(const std::string& why) {
  throw Refusal("exchange", why, "Sign in again, from a page of the catalog.");
}

// Whatever is wrong there is nothing that the browser has done: it is told to come again, and the log says
// why.
[[noreturn]] void fail_at_issuer(const IssuerLogin& at, const Error& error) {
  throw Error(ErrorKind::unavailable,
              fmt::format("signing in at {}: {}", printable_url(at.issuer), error.what()), error.advice());
}

}  // namespace

PageSessions::PageSessions(Exchange& exchange, PageLoginOptions options)
    : exchange_(exchange), options_(std::move(options)) {
  const LoginOptions& login = exchange_.login();
  if (login.issuer.empty() || options_.public_url.empty()) return;
  std::string base = options_.public_url;
  while (base.ends_with('/')) base.pop_back();
  const HttpUrl url = HttpUrl::parse(base);
  if (url.scheme != "https" && network_of_host(url.host) != Network::loopback) return;
  cookie_name_ = cookie_name_for(base);
  at_ = {.issuer = login.issuer,
         .client_id = options_.client_id.empty() ? login.client_id : options_.client_id,
         .scope = login_scope,
         .client_secret = options_.client_secret};
  origin_ = base;
  redirect_ = base + std::string(callback);
}

std::string PageSessions::set_cookie(std::string_view value, std::chrono::seconds lasts) const {
  return fmt::format("{}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{}", cookie_name_, value,
                     lasts.count(), cookie_name_ == secure_cookie_name ? "; Secure" : "");
}

// Its configuration, asked for once an hour, and never with the lock held: nobody waits for another's
// question.
std::shared_ptr<const Issuer> PageSessions::issuer() {
  {
    const std::scoped_lock lock(mutex_);
    const auto age = std::chrono::steady_clock::now() - asked_;
    const bool was_asked = asked_.time_since_epoch().count() != 0;
    if (issuer_ && age < configuration_holds) return issuer_;
    if (is_being_asked_ || (was_asked && age < pause_after_failure)) {
      if (issuer_) return issuer_;
      fail(ErrorKind::unavailable, "its configuration is not known yet");
    }
    is_being_asked_ = true;
  }
  std::shared_ptr<const Issuer> made;
  std::string failure;
  try {
    made = std::make_shared<const Issuer>(at_.issuer, issuer_timeout);
  } catch (const std::exception& error) {
    failure = message_of(error);
  }
  const std::scoped_lock lock(mutex_);
  is_being_asked_ = false;
  asked_ = std::chrono::steady_clock::now();
  if (made) issuer_ = std::move(made);
  if (!issuer_) throw Error(ErrorKind::unavailable, failure);
  if (!failure.empty())
    log::warning("the issuer {}: {}; its configuration that is known stays in use", printable_url(at_.issuer),
                 failure);
  return issuer_;
}

PageSessions::Begun PageSessions::begin(const std::string& to) try {
  const PendingLogin begun{.login = CodeLogin::begin(), .to = local_address(to)};
  return Begun{.page = page_of(begun.login, *issuer(), at_, redirect_, "Sign in with 'flox auth login'."),
               .cookie = set_cookie(begun.to_cookie(), login_lasts)};
} catch (const Error& error) {
  fail_at_issuer(at_, error);
}

PageSessions::Completed PageSessions::complete(const ServerRequest& request) {
  const std::map<std::string, std::string>& answer = request.query;
  const auto begun = PendingLogin::parse(session_cookie(request, cookie_name_));
  const auto state = answer.find("state");
  if (!begun)
    refuse_sign_in("no login waits for this answer: it took too long, or it was begun in another browser");
  if (state == answer.end() || !begun->login.state.equals(state->second))
    refuse_sign_in("this is not the answer to the login that waits");
  // Of few at once: a slow issuer is not to hold all of the catalog's threads.
  struct Place {
    std::atomic<int>& count;
    explicit Place(std::atomic<int>& its_count) : count(its_count) { ++count; }
    ~Place() { --count; }
  } const place(waiting_);
  if (waiting_ > most_waiting)
    fail(ErrorKind::unavailable, "too many people sign in at once; try again in a moment");
  const Secret token = [&] {
    try {
      return id_token_of(begun->login, *issuer(), at_, redirect_, answer);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::untrusted) fail_at_issuer(at_, error);
      refuse_sign_in(error.what());
    }
  }();
  auto made = exchange_.sign_in(token.reveal(), at_.client_id, options_.lasts);
  return {.to = begun->to,
          .cookie = set_cookie(made.secret.reveal(), options_.lasts),
          .token = std::move(made.token)};
}

// Browsers send one or the other (Fetch Metadata; RFC 6454), and one that sends neither has sent the cookie
// only within this site (SameSite). The first says it all: Origin may be "null" of our own pages, too, where
// something on the way has added a Referrer-Policy of no-referrer (Fetch, section 3.2.5).
bool PageSessions::is_from_here(const ServerRequest& request) const {
  const auto site = request.headers.find("sec-fetch-site");
  if (site != request.headers.end()) return site->second == "same-origin";
  const auto origin = request.headers.find("origin");
  return origin == request.headers.end() || origin->second == HttpUrl::parse(origin_).origin() ||
         origin->second == origin_;
}

}  // namespace flox::server
