#include "catalog/client.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/http_client.h"
#include "catalog/cpu_level.h"

namespace flox::catalog {
namespace {

using nlohmann::json;

// The catalog's own words for a failure, as problem+json gives them (RFC 9457).
[[noreturn]] void fail_with(const HttpResponse& response, std::string_view what) {
  json problem = json::parse(response.body, nullptr, false);
  std::string detail = problem.is_object() ? problem.value("detail", response.body) : response.body;
  ErrorKind kind = response.status == 404                             ? ErrorKind::not_found
                   : response.status == 409                           ? ErrorKind::conflict
                   : response.status == 401 || response.status == 403 ? ErrorKind::untrusted
                   : response.status < 500                            ? ErrorKind::invalid_input
                                                                      : ErrorKind::unavailable;
  throw Error(kind,
              fmt::format("{}: {}", what,
                          detail.empty() ? fmt::format("the catalog answered {}", response.status) : detail),
              problem.is_object() ? problem.value("advice", "") : "");
}

std::vector<PackageBuild> builds_of(const json& list) {
  std::vector<PackageBuild> builds;
  for (const auto& item : list.at("items")) builds.push_back(PackageBuild::from_json(item));
  return builds;
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
  json get(const std::string& path, std::string_view what) {
    HttpResponse response = send({.url = path});
    if (!response.ok()) fail_with(response, what);
    return json::parse(response.body);
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
  HttpResponse response = state_->send({.method = "POST",
                                        .url = "/api/v1/catalog/resolve",
                                        .headers = {{"Content-Type", "application/json"}},
                                        .body = body.dump()});
  if (!response.ok()) fail_with(response, what);
  json item = json::parse(response.body).at("items").at(0);
  if (item.value("page", json()).is_object() && item["page"].value("complete", false)) {
    json package = item["page"]["packages"].at(0);
    package["priority"] = descriptor.priority;
    json lock = {{"lockfile-version", 1}, {"packages", {package}}};
    return env::Lockfile::parse(lock.dump()).packages.at(0);
  }
  json message = item.value("messages", json::array()).empty() ? json::object() : item["messages"][0];
  throw Error(ErrorKind::not_found,
              fmt::format("{}: {}", what, message.value("message", "the catalog cannot resolve it")),
              message.value("context", json::object()).value("advice", ""));
}

std::vector<PackageBuild> Client::show(std::string_view name) {
  return builds_of(
      state_->get("/api/v1/catalog/packages/" + url_encode(name), fmt::format("package '{}'", name)));
}

std::vector<PackageBuild> Client::search(std::string_view term) {
  return builds_of(state_->get("/api/v1/catalog/search?search_term=" + url_encode(term),
                               fmt::format("searching '{}'", term)));
}

void Client::publish(const PackageBuild& build) {
  HttpResponse response = state_->send(
      {.method = "POST",
       .url = "/api/v1/catalog/packages/" + url_encode(build.name) + "/builds",
       .headers = {{"Content-Type", "application/json"}, {"Authorization", "Bearer " + state_->token}},
       .body = build.to_json().dump()});
  if (!response.ok()) fail_with(response, fmt::format("publishing {} {}", build.name, build.version));
}

}  // namespace flox::catalog
