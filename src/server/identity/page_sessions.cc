#include "server/identity/page_sessions.h"

#include <fmt/format.h>

#include "base/error.h"
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

}  // namespace

PageSessions::PageSessions(Exchange& exchange, PageLoginOptions options)
    : exchange_(exchange), options_(std::move(options)) {
  const LoginOptions& login = exchange_.login();
  if (login.issuer.empty() || options_.public_url.empty()) return;
  std::string base = options_.public_url;
  while (base.ends_with('/')) base.pop_back();
  const HttpUrl url = HttpUrl::parse(base);
  is_secure_ = url.scheme == "https";
  if (!is_secure_ && network_of_host(url.host) != Network::loopback) return;
  at_ = {.issuer = login.issuer,
         .client_id = options_.client_id.empty() ? login.client_id : options_.client_id,
         .scope = login_scope,
         .client_secret = options_.client_secret};
  origin_ = base;
  redirect_ = base + std::string(callback);
}

std::string PageSessions::set_cookie(std::string_view value, std::chrono::seconds lasts) const {
  return fmt::format("{}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{}",
                     is_secure_ ? secure_cookie_name : plain_cookie_name, value, lasts.count(),
                     is_secure_ ? "; Secure" : "");
}

// Its configuration, asked for once an hour.
std::shared_ptr<const Issuer> PageSessions::issuer() {
  const std::scoped_lock lock(mutex_);
  const auto age = std::chrono::steady_clock::now() - asked_;
  const bool was_asked = asked_.time_since_epoch().count() != 0;
  if (issuer_ && age < configuration_holds) return issuer_;
  if (!issuer_ && was_asked && age < pause_after_failure)
    fail(ErrorKind::unavailable, "the issuer {} does not answer", printable_url(at_.issuer));
  asked_ = std::chrono::steady_clock::now();
  issuer_ = nullptr;
  issuer_ = std::make_shared<const Issuer>(at_.issuer, issuer_timeout);
  return issuer_;
}

PageSessions::Begun PageSessions::begin(const std::string& to) {
  return in_context(fmt::format("signing in at {}", printable_url(at_.issuer)), [&] {
    const PendingLogin begun{.login = CodeLogin::begin(), .to = local_address(to)};
    return Begun{.page = page_of(begun.login, *issuer(), at_, redirect_, "Sign in with 'flox auth login'."),
                 .cookie = set_cookie(begun.to_cookie(), login_lasts)};
  });
}

PageSessions::Completed PageSessions::complete(const std::string& cookie,
                                               const std::map<std::string, std::string>& answer) {
  const auto begun = PendingLogin::parse(cookie);
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
      if (error.kind() != ErrorKind::untrusted) throw;
      refuse_sign_in(error.what());
    }
  }();
  auto made = exchange_.sign_in(token.reveal(), at_.client_id, options_.lasts);
  return {.to = begun->to,
          .cookie = set_cookie(made.secret.reveal(), options_.lasts),
          .token = std::move(made.token)};
}

// Browsers send one or the other (Fetch Metadata; RFC 6454), and one that sends neither has sent the cookie
// only within this site (SameSite).
bool PageSessions::is_from_here(const ServerRequest& request) const {
  const auto site = request.headers.find("sec-fetch-site");
  if (site != request.headers.end() && site->second != "same-origin") return false;
  const auto origin = request.headers.find("origin");
  return origin == request.headers.end() || origin->second == HttpUrl::parse(origin_).origin() ||
         origin->second == origin_;
}

}  // namespace flox::server
