#include "catalog/client.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/http_client.h"
#include "catalog/cpu_level.h"

namespace flox::catalog {
namespace {

using nlohmann::json;

// A member that is text, or nothing.
std::string text(const json& object, const char* key) {
  if (!object.is_object()) return {};
  auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

// The catalog's own words for a failure, as problem+json gives them (RFC 9457). Others that answer at this
// address (a proxy, another service) have none.
[[noreturn]] void fail_with(const HttpResponse& response, std::string_view what) {
  json problem = json::parse(response.body, nullptr, false);
  std::string detail = text(problem, "detail");
  ErrorKind kind = response.status == 404                             ? ErrorKind::not_found
                   : response.status == 409                           ? ErrorKind::conflict
                   : response.status == 401 || response.status == 403 ? ErrorKind::untrusted
                   : response.status < 500                            ? ErrorKind::invalid_input
                                                                      : ErrorKind::unavailable;
  if (detail.empty())
    throw Error(kind, fmt::format("{}: the catalog answered {}", what, response.status),
                "check that FLOX_CATALOG_URL is a catalog's");
  throw Error(kind, fmt::format("{}: {}", what, detail), text(problem, "advice"));
}

std::vector<PackageBuild> builds_of(const json& list) {
  std::vector<PackageBuild> builds;
  for (const auto& item : list.at("items")) builds.push_back(PackageBuild::from_json(item));
  return builds;
}

// The first item of an answer to "resolve", as a locked package.
env::LockedPackage locked_of(const json& answer, std::string_view what, int priority) {
  const json& item = answer.at("items").at(0);
  const json& page = item.at("page");
  if (page.is_object() && page.at("complete").get<bool>()) {
    json package = page.at("packages").at(0);
    package["priority"] = priority;
    json lock = {{"lockfile-version", 1}, {"packages", {package}}};
    return env::Lockfile::parse(lock.dump()).packages.at(0);
  }
  const json& messages = item.at("messages");
  json message = messages.empty() ? json::object() : messages.at(0);
  std::string why = text(message, "message");
  throw Error(ErrorKind::not_found,
              fmt::format("{}: {}", what, why.empty() ? "the catalog cannot resolve it" : why),
              text(message.value("context", json()), "advice"));
}

HttpRequest post(std::string path, const json& body) {
  return {.method = "POST",
          .url = std::move(path),
          .headers = {{"Content-Type", "application/json"}},
          .body = body.dump(-1, ' ', false, json::error_handler_t::replace)};
}

}  // namespace

struct Client::State {
  std::string url;
  std::string token;
  HttpClient http;

  HttpResponse send(HttpRequest request) {
    if (url.empty())
      throw Error(ErrorKind::invalid_input, "no catalog is configured",
                  "set FLOX_CATALOG_URL, or catalog_url in /etc/flox/config.toml");
    request.url = url + request.url;
    try {
      return http.send(request);
    } catch (const Error& error) {
      throw error.with_context(fmt::format("the catalog at {} cannot be reached", url))
          .with_advice("check that flox-catalog runs there, and FLOX_CATALOG_URL");
    }
  }
  // Sends, and gives the answer's JSON to `read`.
  template <typename Read>
  auto ask(HttpRequest request, std::string_view what, Read&& read) {
    HttpResponse response = send(std::move(request));
    if (!response.ok()) fail_with(response, what);
    try {
      return read(json::parse(response.body));
    } catch (const json::exception&) {
      throw Error(ErrorKind::unavailable, fmt::format("{}: what answers at {} is no catalog", what, url),
                  "check FLOX_CATALOG_URL");
    }
  }
};

Client::Client(std::string url, std::string token) : state_(std::make_unique<State>()) {
  while (url.ends_with('/')) url.pop_back();
  state_->url = std::move(url);
  state_->token = std::move(token);
}
Client::~Client() = default;

std::string Client::cache_url() const { return state_->url + "/cache"; }

env::LockedPackage Client::resolve(std::string_view install_id, const env::InstallDescriptor& descriptor,
                                   std::string_view system) {
  std::string what =
      fmt::format("package '{}'{}", descriptor.pkg_path, descriptor.version ? " " + *descriptor.version : "");
  json wanted = {{"install_id", install_id},
                 {"attr_path", descriptor.pkg_path},
                 {"systems", {system}},
                 {"cpu_level", cpu_level()}};
  if (descriptor.version) wanted["version"] = *descriptor.version;
  json body = {{"items", {{{"name", descriptor.pkg_group}, {"descriptors", {wanted}}}}}};
  return state_->ask(post("/api/v1/catalog/resolve", body), what,
                     [&](const json& answer) { return locked_of(answer, what, descriptor.priority); });
}

std::vector<PackageBuild> Client::show(std::string_view name) {
  std::string what = fmt::format("package '{}'", name);
  auto builds = state_->ask({.url = "/api/v1/catalog/packages/" + url_encode(name)}, what, builds_of);
  if (builds.empty()) fail(ErrorKind::not_found, "{}: the catalog has no build of it", what);
  return builds;
}

std::vector<PackageBuild> Client::search(std::string_view term, std::string_view system) {
  std::string path = "/api/v1/catalog/search?search_term=" + url_encode(term);
  if (!system.empty()) path += "&system=" + url_encode(system);
  return state_->ask({.url = path}, fmt::format("searching '{}'", term), builds_of);
}

Client::Pushed Client::environment(const EnvironmentName& name) {
  std::string path = fmt::format("/api/v1/environments/{}/{}", url_encode(name.owner), url_encode(name.name));
  if (name.generation) path += fmt::format("?generation={}", *name.generation);
  return state_->ask({.url = path}, fmt::format("environment '{}'", name.to_string()),
                     [](const json& answer) {
                       return Pushed{answer.at("generation"), answer.at("manifest"),
                                     env::Lockfile::parse(answer.at("lock").dump())};
                     });
}

int64_t Client::push(const EnvironmentName& name, const std::string& manifest, const env::Lockfile& lock) {
  HttpRequest request =
      post(fmt::format("/api/v1/environments/{}/{}", url_encode(name.owner), url_encode(name.name)),
           {{"manifest", manifest}, {"lock", json::parse(lock.to_string())}});
  request.headers.emplace_back("Authorization", "Bearer " + state_->token);
  return state_->ask(std::move(request), fmt::format("pushing environment '{}'", name.to_string()),
                     [](const json& answer) { return answer.at("generation").get<int64_t>(); });
}

void Client::publish(const PackageBuild& build) {
  HttpRequest request =
      post("/api/v1/catalog/packages/" + url_encode(build.name) + "/builds", build.to_json());
  request.headers.emplace_back("Authorization", "Bearer " + state_->token);
  HttpResponse response = state_->send(std::move(request));
  if (!response.ok()) fail_with(response, "recording it in the catalog");
}

}  // namespace flox::catalog
