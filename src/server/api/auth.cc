// Who is who: logging in, exchanging tokens, tokens of one's own and of owners.
#include <algorithm>
#include <charconv>

#include "base/data/json.h"
#include "base/error.h"
#include "base/log.h"
#include "catalog/environment_name.h"
#include "server/api/answers.h"
#include "server/api/form.h"
#include "server/api/page.h"
#include "server/api/resources.h"
#include "server/records/clock.h"

namespace flox::server {
namespace {

using nlohmann::json;

constexpr std::string_view grant_type = "urn:ietf:params:oauth:grant-type:token-exchange";  // RFC 8693, 2.1
constexpr std::string_view id_token_type = "urn:ietf:params:oauth:token-type:id_token";     // RFC 8693, 3
constexpr std::string_view jwt_type = "urn:ietf:params:oauth:token-type:jwt";
constexpr const char* access_token_type = "urn:ietf:params:oauth:token-type:access_token";

constexpr size_t longest_description = 200;  // bytes
constexpr int64_t day = 24 * 60 * 60;        // seconds
constexpr int64_t usual_days = 90;
constexpr int64_t most_days = 366;

// A token is in this answer and nowhere else: nothing on the way may keep it.
ServerResponse with_secret(const json& document, int status) {
  ServerResponse response = as_json(document, status);
  response.headers["Cache-Control"] = "no-store";
  return response;
}

json to_json(const Token& token) {
  return {{"id", token.id},
          {"user", token.user},
          {"owner", token.owner},
          {"scope", to_text(token.role)},
          {"description", token.description},
          {"created_at", recorded_time(token.created_at)},
          {"created_by", token.created_by},
          {"expires_at", recorded_time(token.expires_at)},
          {"last_used_at", recorded_time(token.last_used_at)},
          {"revoked_at", recorded_time(token.revoked_at)}};
}

ServerResponse show_login(ApiContext& context, const Call&) {
  const LoginOptions& login = context.accounts.exchange.login();
  json answer = json::object();
  if (!login.issuer.empty())
    answer["oidc"] = {{"issuer", login.issuer}, {"client_id", login.client_id}, {"scope", login_scope}};
  return as_json(answer);
}

ServerResponse exchange(ApiContext& context, const Call& call) {
  Audit::Entry entry{.who = {},
                     .token = {},
                     .action = "POST /api/v1/auth/exchange",
                     .status = 200,
                     .reason = {},
                     .detail = {}};
  try {
    const auto form = parse_form(call.request().body);
    const auto given = [&](const char* key) {
      const auto found = form.find(key);
      return found == form.end() ? std::string() : found->second;
    };
    const std::string type = given("subject_token_type");
    if (given("grant_type") != grant_type)
      fail(ErrorKind::invalid_input, "'grant_type' is not {}", grant_type);
    if (type != id_token_type && type != jwt_type)
      fail(ErrorKind::invalid_input, "'subject_token_type' is neither {} nor {}", id_token_type, jwt_type);
    const auto made = context.accounts.exchange.exchange(given("subject_token"), type == id_token_type);
    entry.who = made.token.user.empty() ? made.token.owner : made.token.user;
    entry.token = made.token.id;
    entry.detail = made.token.description;
    context.accounts.audit.write(call.request(), entry);
    return with_secret({{"access_token", made.secret.reveal()},
                        {"issued_token_type", access_token_type},
                        {"token_type", "Bearer"},
                        {"expires_in", made.token.expires_at - unix_time()},
                        {"scope", to_text(made.token.role)},
                        {"user", made.token.user},
                        {"owner", made.token.owner}},
                       200);
  } catch (const Error& error) {
    const auto* refusal = dynamic_cast<const Refusal*>(&error);
    entry.status = refusal != nullptr ? 403 : 400;
    entry.reason = refusal != nullptr ? refusal->reason() : to_string(error.kind());
    entry.detail = error.what();
    context.accounts.audit.write(call.request(), entry);
    throw;
  }
}

ServerResponse who_am_i(ApiContext& context, const Call& call) {
  const Caller& caller = call.caller();
  json owners = json::object();
  for (const auto& [owner, role] : caller.roles) owners[owner] = to_text(role);
  const auto token = context.accounts.tokens.find_by_id(caller.token);
  return as_json({{"name", caller.name()},
                  {"operator", caller.is_operator},
                  {"user", caller.user},
                  {"token", caller.token},
                  {"scope", to_text(caller.limit)},
                  {"owners", std::move(owners)},
                  {"expires_at", token ? recorded_time(token->expires_at) : ""}});
}

// What a token is to be, as its maker asks for it. Throws Error(invalid_input).
struct WantedToken {
  std::string owner, description;
  Role role = Role::read;
  int64_t days = usual_days;

  static WantedToken from(const json& body) {
    if (!body.is_object()) fail(ErrorKind::invalid_input, "the body is not an object");
    for (const auto& [key, value] : body.items())
      if (key != "owner" && key != "scope" && key != "description" && key != "days")
        fail(ErrorKind::invalid_input, "the body has an unknown member '{}'", key.substr(0, 100));
    WantedToken wanted;
    wanted.owner = optional_string(body, "owner", "the body");
    wanted.description = optional_string(body, "description", "the body");
    if (wanted.description.size() > longest_description ||
        std::ranges::any_of(wanted.description, [](unsigned char c) { return c < 0x20 || c == 0x7F; }))
      fail(ErrorKind::invalid_input, "'description' is not a line of at most {} bytes", longest_description);
    const auto role = role_of(string_member(body, "scope", "the body"));
    if (!role) fail(ErrorKind::invalid_input, "'scope' is none of read, publish and admin");
    wanted.role = *role;
    if (const auto days = body.find("days"); days != body.end()) {
      if (!days->is_number_integer() || days->get<int64_t>() < 1 || days->get<int64_t>() > most_days)
        fail(ErrorKind::invalid_input, "'days' is not a number from 1 to {}", most_days);
      wanted.days = days->get<int64_t>();
    }
    return wanted;
  }
};

// Admins of an owner make tokens of the owner, which outlive their membership; other members make tokens of
// their own for it, which do not.
ServerResponse create_token(ApiContext& context, const Call& call) {
  const Caller& caller = call.caller();
  const WantedToken wanted = WantedToken::from(call.json());
  // Else a token that is stolen or for an hour could be made one for a year.
  if (caller.limit != Role::admin)
    throw Refusal("scope", "this token may not make tokens", "Run 'flox auth login' and try again.");
  if (caller.is_operator && wanted.owner.empty())
    throw Error(ErrorKind::invalid_input, "the operator's tokens are for an owner", "Pass --owner OWNER.");
  if (!wanted.owner.empty()) {
    if (caller.is_operator && !context.accounts.owners.find(wanted.owner))
      throw Error(ErrorKind::not_found, "the catalog has no such owner", "Make it: flox owner create OWNER.");
    if (!caller.may(wanted.role, wanted.owner))
      throw Refusal(
          "other_owner",
          fmt::format("this token may not {} for {}", to_text(wanted.role), wanted.owner.substr(0, 100)),
          "Ask an admin of the owner: flox owner add.");
  }
  const bool is_owners = !wanted.owner.empty() && caller.may(Role::admin, wanted.owner);
  if (!is_owners && caller.user.empty())
    throw Refusal("scope", "this token may make tokens of its owner only", "Pass --owner OWNER.");
  Token token{.user = is_owners ? "" : caller.user,
              .owner = wanted.owner,
              .role = wanted.role,
              .description = wanted.description,
              .created_by = caller.name(),
              .expires_at = unix_time() + wanted.days * day};
  const Secret secret = context.accounts.identity.create(token);
  log::info("{} made token {} of {}", caller.name(), token.id, token.user.empty() ? token.owner : token.user);
  json answer = to_json(token);
  answer["token"] = secret.reveal();
  return with_secret(answer, 201);
}

// After which token a page begins.
std::optional<TokenRecords::Place> place_of(const CursorKey& after) {
  if (after.empty()) return std::nullopt;
  TokenRecords::Place place{.created_at = 0, .id = after[1]};
  const char* const end = after[0].data() + after[0].size();
  if (std::from_chars(after[0].data(), end, place.created_at).ptr != end)
    fail(ErrorKind::invalid_input, "'cursor' is not one of this list");
  return place;
}

ServerResponse list_tokens(ApiContext& context, const Call& call) {
  const Caller& caller = call.caller();
  const std::string owner = call.query("owner");
  const bool is_admin = !owner.empty() && caller.may(Role::admin, owner);
  if (!caller.is_operator && !is_admin && caller.user.empty())
    throw Refusal("scope", "this token may not list tokens", "Run 'flox auth login' and try again.");
  const std::string user = caller.is_operator || is_admin ? "" : caller.user;
  const PageRequest page(call, 2);
  auto tokens = context.accounts.tokens.list(user, owner, page.size() + 1, place_of(page.after()));
  const bool has_more = tokens.size() > page.size();
  if (has_more) tokens.pop_back();
  json items = json::array();
  for (const auto& token : tokens) items.push_back(to_json(token));
  return page.answer(
      {{"items", std::move(items)}}, has_more,
      tokens.empty() ? CursorKey() : CursorKey{std::to_string(tokens.back().created_at), tokens.back().id});
}

ServerResponse revoke_token(ApiContext& context, const Call& call) {
  const Caller& caller = call.caller();
  const std::string id = call.parameter("id");
  const auto token = context.accounts.tokens.find_by_id(id);
  // A token may always revoke itself, which is how one logs out.
  const bool is_its =
      token && (caller.is_operator || token->id == caller.token ||
                (!caller.user.empty() && token->user == caller.user && caller.limit == Role::admin) ||
                (!token->owner.empty() && caller.may(Role::admin, token->owner)));
  if (!is_its)
    throw Error(ErrorKind::not_found, fmt::format("there is no token {} of yours", id.substr(0, 100)),
                "Run 'flox auth token list'.");
  const bool revoked = context.accounts.identity.revoke(id);
  if (revoked) log::info("{} revoked token {}", caller.name(), id);
  return as_json(to_json(context.accounts.tokens.find_by_id(id).value_or(*token)));
}

}  // namespace

void add_auth_routes(Router& router, ApiContext& context) {
  router.add("GET", "/api/v1/auth/login", Scope::anyone, no_body(),
             [&](const Call& call) { return show_login(context, call); });
  router.add("POST", "/api/v1/auth/exchange", Scope::anyone, text_body(32 << 10),
             [&](const Call& call) { return exchange(context, call); });
  router.add("GET", "/api/v1/auth/whoami", Scope::any_token, no_body(),
             [&](const Call& call) { return who_am_i(context, call); });
  router.add("GET", "/api/v1/auth/tokens", Scope::any_token, no_body(),
             [&](const Call& call) { return list_tokens(context, call); });
  router.add("POST", "/api/v1/auth/tokens", Scope::any_token, json_body(16 << 10),
             [&](const Call& call) { return create_token(context, call); });
  router.add("DELETE", "/api/v1/auth/tokens/{id}", Scope::any_token, no_body(),
             [&](const Call& call) { return revoke_token(context, call); });
}

}  // namespace flox::server
