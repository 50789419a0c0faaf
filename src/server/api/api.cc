#include "server/api/api.h"

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "base/net/server/http_message.h"
#include "base/net/server/retry_later.h"
#include "server/api/conditional.h"
#include "server/api/resources.h"
#include "server/api/signers.h"
#include "server/records/clock.h"

namespace flox::server {
namespace {

bool is_allowed(const Caller& caller, Scope scope, const std::string& owner) {
  switch (scope) {
    case Scope::anyone:
      return true;
    case Scope::any_token:
      return !caller.is_nobody();
    case Scope::publish:
      return owner.empty() ? caller.may_for_some_owner(Role::publish) : caller.may(Role::publish, owner);
    case Scope::admin:
      return caller.may(Role::admin, owner);
    case Scope::operate:
      return caller.is_operator;
  }
  return false;
}

// How a token's problem reads.
std::string in_words(const std::string& problem) {
  return problem == "expired_token"   ? "has expired"
         : problem == "revoked_token" ? "was revoked"
                                      : "is not known here";
}

[[noreturn]] void refuse(const Caller& caller, Scope scope, const std::string& owner) {
  constexpr const char* advice = "Run 'flox auth login', set FLOX_CATALOG_TOKEN, or pass --token-file FILE.";
  const std::string what =
      scope == Scope::publish ? "publishing needs the catalog's token" : "this needs a token";
  if (caller.problem == "expired_token" || caller.problem == "revoked_token")
    throw Refusal(caller.problem == "expired_token" ? "expired_token" : "revoked_token",
                  fmt::format("{}: the token that was sent {}", what, in_words(caller.problem)), advice);
  if (caller.is_nobody() && caller.problem.empty()) throw Refusal("no_token", what, advice);
  if (caller.is_nobody())
    throw Refusal("unknown_token",
                  fmt::format("{}: the token that was sent {}", what, in_words(caller.problem)), advice);
  if (scope == Scope::operate)
    throw Refusal("scope", "this needs the operator's token", "Ask the catalog's operator.");
  const char* verb = scope == Scope::admin ? "manage" : "publish for";
  if (owner.empty()) throw Refusal("scope", "this token may not publish", "Use one with the scope publish.");
  throw Refusal(caller.role_for(owner) == Role::none ? "other_owner" : "scope",
                fmt::format("this token may not {} {}", verb, owner.substr(0, 100)),
                "Use a token of that owner, or ask an admin of it: flox owner add.");
}

// What says whether the catalog is well is asked by those who watch it, however busy it is.
bool is_health(std::string_view path) {
  return path == "/healthz" || path == "/readyz" || path == "/metrics";
}

bool only_reads(const ServerRequest& request) { return request.method == "GET" || request.method == "HEAD"; }

std::optional<trace::Context> trace_of(const ServerRequest& request) {
  const auto field = request.headers.find("traceparent");
  return field == request.headers.end() ? std::nullopt : trace::parse_traceparent(field->second);
}

// By OpenTelemetry's conventions for HTTP. A query may hold what somebody looks for, which is theirs.
void describe_request(trace::Span& span, const ServerRequest& request, const Route* route) {
  constexpr size_t longest_path = 1000;  // bytes
  if (route != nullptr) {
    span.rename(request.method + " " + route->path);
    span.set("http.route", route->path);
  }
  span.set("http.request.method", request.method);
  span.set("url.path", std::string_view(request.path).substr(0, longest_path));
  span.set("client.address", request.peer);
}

// A condition that nobody looks at would be taken for one that holds.
void check_condition(const ServerRequest& request, const Route* route) {
  if (only_reads(request) || route == nullptr || !request.headers.contains("if-match")) return;
  if (route->path != "/api/v1/environments/{owner}/{name}")
    fail(ErrorKind::invalid_input, "If-Match is not understood here: this has no entity tag to change by");
}

// With what its answer depends on, if that is not the token that was sent.
Error with_problem(const Error& error, const Caller& caller) {
  return Error(error.kind(),
               fmt::format("{} (the token that was sent {}, so only what is public is shown)", error.what(),
                           in_words(caller.problem)),
               error.advice());
}

bool is_change(const ServerRequest& request, const Route* route) {
  return !only_reads(request) && (route == nullptr || route->scope != Scope::anyone);
}

}  // namespace

Api::Api(Records& records, EnvironmentRecords& environments, AttestationRecords& attestations,
         StartProfileRecords& start_profiles, TrustService& trust, CacheFiles& cache,
         const RegisteredKeys& keys, Accounts& accounts, ApiOptions options)
    : context_(records, environments, attestations, start_profiles, trust, cache, keys, accounts,
               std::move(options)),
      router_([this](const Call& call) { return authorise(call); }),
      token_limit_(context_.options.token_limit),
      address_limit_(context_.options.address_limit) {
  records.set_signers(keys.fingerprint(), [&](const std::vector<catalog::PackageBuild>& builds) {
    if (context_.options.is_stopping())
      throw Error(ErrorKind::unavailable, "stopped before it was known who signed all builds",
                  "Start it again: it begins with that.");
    return signers_of(builds, cache, keys);
  });
  add_package_routes(router_, context_);
  add_collect_routes(router_, context_);
  add_environment_routes(router_, context_);
  add_node_routes(router_, context_);
  add_cache_routes(router_, context_);
  add_attestation_routes(router_, context_);
  add_start_profile_routes(router_, context_);
  add_trust_routes(router_, context_);
  add_auth_routes(router_, context_);
  add_owner_routes(router_, context_);
  add_retention_routes(router_, context_);
  add_health_routes(router_, context_);
  add_document_routes(router_, context_);
}

std::shared_ptr<const Caller> Api::authorise(const Call& call) const {
  auto caller = context_.accounts.identity.caller_of(call.request());
  const std::string owner = call.parameter("owner");
  if (!is_allowed(*caller, call.route().scope, owner)) refuse(*caller, call.route().scope, owner);
  return caller;
}

void Api::refused(const ServerRequest& request, const Error& error) {
  const auto* refusal = dynamic_cast<const Refusal*>(&error);
  if (refusal != nullptr) context_.metrics.refused.Add({{"reason", refusal->reason()}}).Increment();
  const Route* route = router_.route_of(request);
  // What is not there is no change.
  if (is_change(request, route) && (route != nullptr || refusal != nullptr)) {
    const auto caller = context_.accounts.identity.caller_of(request);
    context_.accounts.audit.write(
        request, {.who = caller->name(),
                  .token = caller->is_nobody() ? caller->useless_token : caller->token,
                  .action = request.method.substr(0, 20) + " " + (route == nullptr ? "" : route->path),
                  .status = status_of(error),
                  .reason = refusal != nullptr ? refusal->reason() : to_string(error.kind()),
                  .detail = error.what()});
  }
}

void Api::check_rate(const ServerRequest& head) {
  if (is_health(head.path)) return;
  const auto caller = context_.accounts.identity.caller_of(head);
  if (caller->is_operator) return;  // who mends a catalog that others overrun
  const bool is_token = !caller->is_nobody();
  const auto wait =
      is_token ? token_limit_.take(caller->token) : address_limit_.take(limited_address(head.peer));
  if (!wait) return;
  (is_token ? context_.metrics.limited_tokens : context_.metrics.limited_addresses).Increment();
  // One line a minute says whose; the metric says how many.
  const int64_t now = unix_time();
  if (int64_t said = said_limited_; now >= said + 60 && said_limited_.compare_exchange_strong(said, now))
    log::warning("too many requests: {} is answered with 429 until it sends fewer",
                 is_token ? "token " + caller->token + " of " + caller->name() : head.peer);
  throw RetryLater(429,
                   is_token ? "this token has made too many requests"
                            : "this address has made too many requests without a token",
                   fmt::format("Try again in {} s.", wait->count()), *wait);
}

void Api::admit(const ServerRequest& head) {
  check_rate(head);
  try {
    router_.admit(head);
  } catch (const Error& error) {
    refused(head, error);
    throw;
  }
}

std::optional<ServerResponse> Api::at_once(const ServerRequest& head) {
  auto response = hot_file(context_, head);
  if (!response) return response;
  context_.metrics.requests.Increment();
  log::debug("{} {}", head.method, head.path);
  trace::Span span(context_.options.spans, head.method, trace::Kind::server, trace_of(head));
  if (span.is_recorded()) describe_request(span, head, router_.route_of(head));
  span.set("http.response.status_code", response->status);
  return response;
}

ServerResponse Api::handle(const ServerRequest& request) {
  trace::Span span(is_health(request.path) ? nullptr : context_.options.spans, request.method,
                   trace::Kind::server, trace_of(request));
  if (span.is_recorded()) describe_request(span, request, router_.route_of(request));
  const auto end = [&](int status) {
    span.set("http.response.status_code", status);
    span.judge(status >= 500);
  };
  try {
    ServerResponse response = answer(request);
    end(response.status);
    return response;
  } catch (const Error& error) {
    end(status_of(error));
    throw;
  }
}

ServerResponse Api::answer(const ServerRequest& request) {
  context_.metrics.requests.Increment();
  check_condition(request, router_.route_of(request));
  log::debug("{} {}", request.method, request.path);
  try {
    const auto caller = context_.accounts.identity.caller_of(request);
    context_.accounts.identity.note_use(*caller);
    ServerResponse response = [&] {
      try {
        return router_.handle(request);
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::not_found || caller->problem.empty()) throw;
        throw with_problem(error, *caller);
      }
    }();
    if (const Route* route = router_.route_of(request);
        is_change(request, route) && (route == nullptr || route->audited == Audited::by_rule))
      context_.accounts.audit.write(request, {.who = caller->name(),
                                              .token = caller->token,
                                              .action = request.method + " " + route->path,
                                              .status = response.status,
                                              .reason = {},
                                              .detail = {}});
    if (!only_reads(request)) return response;
    describe_keeping(request, response);
    return unless_known(request, std::move(response));
  } catch (const Error& error) {
    refused(request, error);
    throw;
  } catch (const std::exception& exception) {
    refused(request, to_error(exception));
    throw;
  }
}

}  // namespace flox::server
