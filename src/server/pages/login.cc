// Signing in and out at the pages.
#include "server/pages/login.h"

#include "base/error.h"
#include "base/log.h"
#include "server/api/answers.h"
#include "server/pages/context.h"

namespace flox::server {
namespace {

ServerResponse lead_to(std::string address, std::string cookie) {
  ServerResponse response{.status = 303, .headers = {{"Location", std::move(address)}}};
  if (!cookie.empty()) response.headers["Set-Cookie"] = std::move(cookie);
  response.headers["Cache-Control"] = "no-store";
  return for_browsers(std::move(response));
}

void require_login(const PagesContext& pages) {
  if (!pages.sessions().is_on())
    throw Error(ErrorKind::not_found, "Nobody signs in at these pages.",
                "Sign in with 'flox auth login' to see what is private on the command line.");
}

ServerResponse begin(PagesContext& pages, const Call& call) {
  require_login(pages);
  const std::string to = local_address(call.query("to"));
  if (!call.caller().is_nobody()) return lead_to(to, "");
  auto begun = pages.sessions().begin(to);
  return lead_to(std::move(begun.page), std::move(begun.cookie));
}

// Refusals are logged and counted as those of the API's exchange are.
ServerResponse complete(PagesContext& pages, const Call& call) {
  require_login(pages);
  Accounts& accounts = pages.api.accounts;
  Audit::Entry entry{
      .who = {}, .token = {}, .action = "GET /login/callback", .status = 200, .reason = {}, .detail = {}};
  try {
    auto done = pages.sessions().complete(call.request());
    entry.who = done.token.user;
    entry.token = done.token.id;
    entry.detail = done.token.description;
    accounts.audit.write(call.request(), entry);
    log::info("{} signed in at the pages", done.token.user);
    return lead_to(std::move(done.to), std::move(done.cookie));
  } catch (const Error& error) {
    const auto* refusal = dynamic_cast<const Refusal*>(&error);
    if (refusal != nullptr) pages.api.metrics.refused.Add({{"reason", refusal->reason()}}).Increment();
    entry.status = refusal != nullptr ? 403 : 503;
    entry.reason = refusal != nullptr ? refusal->reason() : to_string(error.kind());
    entry.detail = error.what();
    accounts.audit.write(call.request(), entry);
    throw;
  }
}

// The token ends, so that a copy of the cookie is worth nothing.
ServerResponse sign_out(PagesContext& pages, const Call& call) {
  require_login(pages);
  const Caller& caller = call.caller();
  if (!pages.sessions().is_from_here(call.request()))
    throw Refusal("scope", "This did not come from a page of the catalog.",
                  "Sign out with the button there.");
  if (!caller.is_nobody() && !caller.is_operator) {
    pages.api.accounts.identity.revoke(caller.token);
    log::info("{} signed out at the pages", caller.name());
    pages.api.accounts.audit.write(call.request(), {.who = caller.name(),
                                                    .token = caller.token,
                                                    .action = "POST /logout",
                                                    .status = 200,
                                                    .reason = {},
                                                    .detail = {}});
  }
  return lead_to("/", pages.sessions().no_cookie());
}

}  // namespace

void add_login_routes(Router& router, const std::shared_ptr<PagesContext>& pages) {
  const auto add = [&](const char* method, const char* path, RouteBody body,
                       ServerResponse (*make)(PagesContext&, const Call&)) {
    router.add(method, path, Scope::anyone, std::move(body), [pages, make](const Call& call) {
      return answer_or_page(*pages, call, [&] { return make(*pages, call); });
    });
  };
  add("GET", "/login", no_body(), begin);
  add("GET", "/login/callback", no_body(), complete);
  add("POST", "/logout", text_body(1024), sign_out);
}

}  // namespace flox::server
