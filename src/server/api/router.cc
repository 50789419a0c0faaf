#include "server/api/router.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"

namespace flox::server {
namespace {

std::vector<std::pair<Route::Kind, std::string>> segments_of(std::string_view path) {
  std::vector<std::pair<Route::Kind, std::string>> segments;
  for (path.remove_prefix(1);;) {
    const size_t slash = path.find('/');
    std::string_view text = path.substr(0, slash);
    Route::Kind kind = Route::Kind::text;
    if (text.starts_with('{') && text.ends_with('}')) {
      kind = Route::Kind::parameter;
      text = text.substr(1, text.size() - 2);
      if (text.ends_with("...")) {
        kind = Route::Kind::rest;
        text.remove_suffix(3);
      }
    }
    segments.emplace_back(kind, text);
    if (slash == std::string_view::npos) return segments;
    path.remove_prefix(slash + 1);
  }
}

// The texts that stand for the route's parameters, in their order; nothing if the path is another.
std::optional<std::vector<std::string_view>> match(const Route& route, std::string_view path) {
  std::vector<std::string_view> parameters;
  bool at_end = false;
  for (const auto& [kind, text] : route.segments) {
    if (at_end || !path.starts_with('/')) return std::nullopt;
    path.remove_prefix(1);
    if (kind == Route::Kind::rest) {
      parameters.push_back(path);
      return parameters;
    }
    const size_t slash = path.find('/');
    const std::string_view segment = path.substr(0, slash);
    if (kind == Route::Kind::text ? segment != text : segment.empty()) return std::nullopt;
    if (kind == Route::Kind::parameter) parameters.push_back(segment);
    at_end = slash == std::string_view::npos;
    path = at_end ? std::string_view() : path.substr(slash);
  }
  return at_end ? std::optional(std::move(parameters)) : std::nullopt;
}

bool is_reading(std::string_view method) { return method == "GET" || method == "HEAD"; }

bool has_method(const Route& route, std::string_view method) {
  return route.method == method || (route.method == "GET" && method == "HEAD");
}

// By kind first: what is tried earlier.
bool goes_before(const Route& a, const Route& b) {
  return std::ranges::lexicographical_compare(a.segments, b.segments);
}

void check_size(const ServerRequest& request, const RouteBody& limits, size_t size) {
  if (limits.begin || limits.json.bytes == 0 || size <= limits.json.bytes) return;
  throw StatusError(
      413, ErrorKind::invalid_input,
      fmt::format("the body of {} is over {} bytes", request.path.substr(0, 200), limits.json.bytes));
}

size_t declared_size(const ServerRequest& head) {
  const auto field = head.headers.find("content-length");
  if (field == head.headers.end()) return 0;
  size_t size = 0;
  std::from_chars(field->second.data(), field->second.data() + field->second.size(), size);
  return size;
}

}  // namespace

void nothing_there(const ServerRequest& request) {
  fail(ErrorKind::not_found, "there is no resource {} {}", request.method.substr(0, 20),
       request.path.substr(0, 200));
}

std::string Call::parameter(std::string_view name) const {
  size_t index = 0;
  for (const auto& [kind, text] : route_.segments) {
    if (kind == Route::Kind::text) continue;
    if (text == name) return std::string(parameters_[index]);
    ++index;
  }
  return {};
}

std::string Call::query(const std::string& key) const {
  const auto it = request_.query.find(key);
  return it == request_.query.end() ? "" : it->second;
}

size_t Call::number(const std::string& key, size_t otherwise, size_t most) const {
  const std::string text = query(key);
  if (text.empty()) return otherwise;
  size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number == 0 || number > most)
    fail(ErrorKind::invalid_input, "'{}' must be a number from 1 to {}", key, most);
  return number;
}

nlohmann::json Call::json() const {
  return parse_json(request_.body, "the request's body", route_.body.json);
}

void Router::add(std::string method, std::string path, Scope scope, RouteBody body, RouteHandler handle,
                 Audited audited) {
  Route route{.method = std::move(method),
              .path = path,
              .scope = scope,
              .body = std::move(body),
              .handle = std::move(handle),
              .audited = audited,
              .segments = segments_of(path)};
  if ((route.method == "PUT") != bool(route.body.begin))
    fail(ErrorKind::internal, "{} {}: a PUT is an upload, and only a PUT", route.method, route.path);
  for (const auto& other : routes_)
    if (other.path == route.path && other.method == route.method)
      fail(ErrorKind::internal, "two routes {} {}", route.method, route.path);
  routes_.insert(std::ranges::upper_bound(routes_, route, goes_before), std::move(route));
}

const Route* Router::route_of(const ServerRequest& request) const {
  const auto found = std::ranges::find_if(routes_, [&](const Route& route) {
    return has_method(route, request.method) && match(route, request.path);
  });
  return found == routes_.end() ? nullptr : &*found;
}

Call Router::find(const ServerRequest& request) const {
  const Route* other_method = nullptr;
  for (const auto& route : routes_) {
    auto parameters = match(route, request.path);
    if (!parameters) continue;
    if (has_method(route, request.method)) {
      Call call(request, route, std::move(*parameters));
      call.set_caller(authorise_(call));
      return call;
    }
    if (route.scope != Scope::anyone) other_method = &route;
  }
  // Whoever may change nothing there learns no more than that.
  if (other_method != nullptr && !is_reading(request.method))
    authorise_(Call(request, *other_method, *match(*other_method, request.path)));
  nothing_there(request);
}

void Router::admit(const ServerRequest& head) const {
  const Call call = find(head);
  check_size(head, call.route().body, declared_size(head));
}

std::shared_ptr<UploadSink> Router::begin_upload(const ServerRequest& head) const {
  const Call call = find(head);
  return call.route().body.begin(call);
}

ServerResponse Router::handle(const ServerRequest& request) const {
  const Call call = find(request);
  check_size(request, call.route().body, request.body.size());
  return call.route().handle(call);
}

}  // namespace flox::server
