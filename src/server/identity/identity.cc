#include "server/identity/identity.h"

#include <algorithm>

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "base/letter_case.h"
#include "server/records/clock.h"

namespace flox::server {
namespace {

constexpr auto lookup_holds = std::chrono::seconds(1);
constexpr size_t most_known = 10'000;
constexpr int64_t use_is_noted_every = 60;  // seconds

bool begins_with(std::string_view text, std::string_view scheme) {
  return is_same_in_any_case(text.substr(0, scheme.size()), scheme);
}

// What the Authorization field (RFC 9110, section 11) brings, or without one the cookie of somebody who has
// signed in at the pages; empty if it is no token for us.
std::string given_token(const ServerRequest& request, std::string_view cookie_name) {
  constexpr std::string_view bearer = "Bearer ";
  constexpr std::string_view basic = "Basic ";
  const auto header = request.headers.find("authorization");
  if (header == request.headers.end()) {
    std::string cookie = session_cookie(request, cookie_name);
    return is_token(cookie) ? cookie : std::string();
  }
  const std::string& text = header->second;
  if (begins_with(text, bearer)) return text.substr(bearer.size());
  if (!begins_with(text, basic)) return {};
  try {
    const std::string login = from_base64(text.substr(basic.size()));
    const size_t colon = login.find(':');
    return colon == std::string::npos ? "" : login.substr(colon + 1);
  } catch (const Error&) {
    return {};
  }
}

std::shared_ptr<const Caller> nobody(std::string problem = {}, std::string token = {}) {
  auto caller = std::make_shared<Caller>();
  caller->problem = std::move(problem);
  caller->useless_token = std::move(token);
  return caller;
}

}  // namespace

std::shared_ptr<const Caller> Identity::caller_of(const ServerRequest& request) const {
  static const auto stranger = nobody();
  const std::string token = given_token(request, cookie_name_);
  if (token.empty()) return stranger;
  if (!operator_token_.empty() && operator_token_.equals(token)) {
    static const auto the_operator = std::make_shared<const Caller>(Caller{.is_operator = true,
                                                                           .user = {},
                                                                           .token = "operator",
                                                                           .limit = Role::admin,
                                                                           .roles = {},
                                                                           .problem = {}});
    return the_operator;
  }
  if (!is_token(token)) return nobody("unknown_token");
  const std::string hash(bytes_of(sha256(token)));
  const auto now = std::chrono::steady_clock::now();
  uint64_t changes = 0;
  {
    const std::scoped_lock lock(mutex_);
    if (const auto found = known_.find(hash); found != known_.end() && now < found->second.until)
      return found->second.caller;
    changes = changes_;
  }
  auto caller = look_up(token);
  const std::scoped_lock lock(mutex_);
  if (changes != changes_) return caller;  // it may be out of date already
  if (known_.size() >= most_known) known_.clear();
  known_[hash] = {.caller = caller, .until = now + lookup_holds};
  return caller;
}

std::shared_ptr<const Caller> Identity::look_up(const std::string& text) const {
  const auto token = tokens_.find(text);
  if (!token) return nobody("unknown_token");
  if (token->revoked_at != 0) return nobody("revoked_token", token->id);
  if (token->expires_at != 0 && token->expires_at <= unix_time()) return nobody("expired_token", token->id);
  auto caller = std::make_shared<Caller>();
  caller->user = token->user;
  caller->token = token->id;
  caller->limit = token->role;
  if (token->user.empty()) {
    caller->roles[token->owner] = token->role;
    return caller;
  }
  for (const auto& [owner, role] : owners_.roles(token->user))
    if (token->owner.empty() || token->owner == owner) caller->roles[owner] = std::min(role, token->role);
  return caller;
}

void Identity::note_use(const Caller& caller) {
  if (caller.is_nobody() || caller.is_operator) return;
  const int64_t now = unix_time();
  {
    const std::scoped_lock lock(mutex_);
    if (used_.size() >= most_known) used_.clear();
    int64_t& noted = used_[caller.token];
    if (now < noted + use_is_noted_every) return;
    noted = now;
  }
  tokens_.used(caller.token, now);
}

Secret Identity::create(Token& token) {
  token.created_at = unix_time();
  return tokens_.create(token);
}

bool Identity::revoke(const std::string& id) {
  const bool revoked = tokens_.revoke(id, unix_time());
  forget();
  return revoked;
}

void Identity::forget() {
  const std::scoped_lock lock(mutex_);
  ++changes_;
  known_.clear();
}

}  // namespace flox::server
