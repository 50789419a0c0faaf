#include "server/identity/exchange.h"

#include <algorithm>

#include "base/error.h"
#include "server/records/clock.h"

namespace flox::server {
namespace {

constexpr int64_t clock_skew = 60;    // seconds by which an issuer's clock may differ from ours
constexpr size_t longest_user = 255;  // bytes

[[noreturn]] void refuse(std::string_view why, std::string advice = {}) {
  throw Refusal("exchange", fmt::format("the token cannot be exchanged: {}", why), std::move(advice));
}

// A name that can stand in a log, a list and a command line, and is no pseudonym of ours ("@…").
bool is_user_name(std::string_view name) {
  return !name.empty() && name.size() <= longest_user && !name.starts_with('@') &&
         std::ranges::all_of(name, [](unsigned char c) { return c > 0x20 && c < 0x7F; });
}

Jwt valid_now(const std::string& text) {
  Jwt token;
  try {
    token = Jwt::parse(text);
  } catch (const Error& error) {
    refuse(error.what(), error.advice());
  }
  const int64_t now = unix_time();
  if (token.expires_at + clock_skew <= now) refuse("it has expired", "Get a new token from its issuer.");
  if (token.not_before > now + clock_skew) refuse("it is not valid yet", "Check the clocks.");
  return token;
}

}  // namespace

Exchange::Exchange(Identity& identity, LoginOptions login, std::vector<ExchangeRule> rules)
    : identity_(identity), login_(std::move(login)), rules_(std::move(rules)) {
  if (!login_.issuer.empty()) keys_.add(login_.issuer);
  for (const auto& rule : rules_) keys_.add(rule.issuer, rule.keys_file);
}

Exchange::Made Exchange::exchange(const std::string& subject_token, bool is_login) {
  const Jwt token = valid_now(subject_token);
  if (!is_login) return admit_workload(token);
  return log_in(token, {.client_id = login_.client_id, .lasts = login_.lasts, .description = "login"});
}

Exchange::Made Exchange::sign_in(const std::string& id_token, const std::string& client_id,
                                 std::chrono::seconds lasts) {
  return log_in(
      valid_now(id_token),
      {.client_id = client_id, .role = Role::read, .lasts = lasts, .description = "signed in at the pages"});
}

Exchange::Made Exchange::log_in(const Jwt& token, const Session& wanted) {
  // Whom it is from and for comes first: only issuers that are set are asked for keys.
  if (login_.issuer.empty()) refuse("the catalog has no issuer for logins", "Use a token of the catalog.");
  if (token.issuer != login_.issuer) refuse("it is of another issuer than that for logins");
  if (std::ranges::find(token.audiences, wanted.client_id) == token.audiences.end())
    refuse("it is for another audience");
  try {
    keys_.verify(token);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::untrusted) throw;
    refuse(error.what());
  }
  const auto name = token.claims.find(login_.user_claim);
  if (name == token.claims.end() || !name->is_string() || !is_user_name(name->get_ref<const std::string&>()))
    refuse(fmt::format("its claim '{}' is not the name of a user", login_.user_claim),
           "The catalog's operator says which claim has the name: flox-catalog --oidc-user-claim.");
  if (login_.user_claim == "email") {
    const auto verified = token.claims.find("email_verified");
    if (verified == token.claims.end() || *verified != true)
      refuse("its issuer has not verified the email address", "Verify it at the issuer.");
  }
  Token made{.user = name->get<std::string>(),
             .role = wanted.role,
             .description = wanted.description,
             .created_by = name->get<std::string>(),
             .expires_at = unix_time() + wanted.lasts.count()};
  Secret secret = identity_.create(made);
  return {.secret = std::move(secret), .token = std::move(made)};
}

Exchange::Made Exchange::admit_workload(const Jwt& token) {
  const auto rule = std::ranges::find_if(rules_, [&](const auto& one) { return one.admits(token); });
  if (rule == rules_.end())
    refuse(fmt::format("no rule admits issuer '{}' with subject '{}'", token.issuer.substr(0, 200),
                       token.subject.substr(0, 200)),
           "The catalog's operator has the rules: flox-catalog --oidc-rules FILE.");
  try {
    keys_.verify(token);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::untrusted) throw;
    refuse(error.what());
  }
  const int64_t lasts = std::chrono::duration_cast<std::chrono::seconds>(rule->lasts).count();
  Token made{.owner = rule->owner,
             .role = rule->role,
             .description = fmt::format("workload {}", token.subject.substr(0, 200)),
             .created_by = token.issuer.substr(0, 200),
             .expires_at = unix_time() + lasts};
  Secret secret = identity_.create(made);
  return {.secret = std::move(secret), .token = std::move(made)};
}

}  // namespace flox::server
