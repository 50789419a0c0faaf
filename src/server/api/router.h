// The table of the catalog's routes: which request goes to which function, and what it may bring. Each
// resource's file adds its own:
//
//   router.add("POST", "/api/v1/environments/{owner}/{name}", Scope::publish, json_body(),
//              [&](const Call& call) { return push(call); });
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/data/json.h"
#include "base/net/server/http_server.h"
#include "server/identity/caller.h"

namespace flox::server {

// What a token must allow. There is no default: a route cannot be without one.
enum class Scope {
  anyone,     // no token is needed; what is shown may depend on it
  any_token,  // some token: the route's function decides what it allows
  publish,    // publishing for {owner}; if the path has none, for some owner: the function decides which
  admin,      // managing {owner}
  operate,    // the operator's token
};

// Who writes a line of the audit log for what a route has changed; for what is refused there always is one.
enum class Audited {
  by_rule,      // each change is a line
  by_function,  // the route's function writes those that tell something: programs repeat the call for ever
};

class Call;
using RouteHandler = std::function<ServerResponse(const Call&)>;

// What a request's body may be, before anything is made of it.
struct RouteBody {
  JsonLimits json{.bytes = 0};
  // Takes an upload while it arrives, on the thread that moves bytes (HttpServerOptions::begin_upload).
  std::function<std::shared_ptr<UploadSink>(const Call&)> begin;
};
// A body that is sent is not read.
inline RouteBody no_body() { return {}; }
// A lock of a large environment has some ten thousand members.
inline RouteBody json_body(size_t bytes = 1 << 20) {
  return {.json = {.bytes = bytes, .depth = 32, .values = 50'000, .number = 32}, .begin = {}};
}
// A body of another format, at most so long, which the route's function reads.
inline RouteBody text_body(size_t bytes) { return {.json = {.bytes = bytes}, .begin = {}}; }
inline RouteBody upload_body(std::function<std::shared_ptr<UploadSink>(const Call&)> begin) {
  return {.begin = std::move(begin)};
}

struct Route {
  std::string method;  // GET answers HEAD, too
  std::string path;    // as declared
  Scope scope;
  RouteBody body;
  RouteHandler handle;
  Audited audited = Audited::by_rule;
  // Of the path: a text, {NAME} for one segment that is not empty, or {NAME...} for all that follows.
  enum class Kind { text, parameter, rest };
  std::vector<std::pair<Kind, std::string>> segments;
};

// A request at its route.
class Call {
 public:
  Call(const ServerRequest& request, const Route& route, std::vector<std::string_view> parameters)
      : request_(request), route_(route), parameters_(std::move(parameters)) {}
  // Who asks. Known to the route's function.
  const Caller& caller() const noexcept { return *caller_; }
  void set_caller(std::shared_ptr<const Caller> caller) { caller_ = std::move(caller); }
  const ServerRequest& request() const noexcept { return request_; }
  const Route& route() const noexcept { return route_; }
  // What stands in the path for {NAME}; empty if the route has no such parameter.
  std::string parameter(std::string_view name) const;
  // Of the query; empty if it is not there.
  std::string query(const std::string& key) const;
  // A number of the query, from 1 to `most`. Throws Error(invalid_input).
  size_t number(const std::string& key, size_t otherwise, size_t most) const;
  // The body within the route's limits. Throws Error(invalid_input).
  nlohmann::json json() const;

 private:
  const ServerRequest& request_;
  const Route& route_;
  std::vector<std::string_view> parameters_;
  std::shared_ptr<const Caller> caller_;
};

// Thread-safe once the routes are added.
class Router {
 public:
  // Finds out who makes the call. Throws if its request does not allow what its route needs.
  using Authorise = std::function<std::shared_ptr<const Caller>(const Call&)>;
  explicit Router(Authorise authorise) : authorise_(std::move(authorise)) {}

  // Of two that fit, the one with the earlier text for a parameter counts, whichever was added first. Throws
  // Error(internal) for a second route of the same method and path, and for a PUT that is not an upload.
  void add(std::string method, std::string path, Scope scope, RouteBody body, RouteHandler handle,
           Audited audited = Audited::by_rule);
  const std::vector<Route>& routes() const noexcept { return routes_; }
  // The route of the request, as declared; null if there is none.
  const Route* route_of(const ServerRequest& request) const;

  // Refuses by its head a request that has no route, no permission, or a body over the route's limit. Must
  // not block (HttpServerOptions::admit).
  void admit(const ServerRequest& head) const;
  // Where an upload goes.
  std::shared_ptr<UploadSink> begin_upload(const ServerRequest& head) const;
  // Calls the route's function, after the same checks.
  ServerResponse handle(const ServerRequest& request) const;

 private:
  // With permission. Throws Error(not_found), or what authorise_ throws.
  Call find(const ServerRequest& request) const;

  Authorise authorise_;
  std::vector<Route> routes_;  // in the order in which they are tried
};

[[noreturn]] void nothing_there(const ServerRequest& request);

}  // namespace flox::server
