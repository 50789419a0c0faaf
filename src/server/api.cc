#include "server/api.h"

#include <openssl/crypto.h>

#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/log.h"
#include "server/resolve.h"

namespace flox::server {
namespace {

using catalog::PackageBuild;
using nlohmann::json;

ServerResponse as_json(const json& document, int status = 200) {
  return {.status = status, .content_type = "application/json", .body = document.dump() + "\n"};
}

json parse_body(const ServerRequest& request) {
  json document = json::parse(request.body, nullptr, false);
  if (document.is_discarded()) fail(ErrorKind::invalid_input, "the body is not JSON");
  return document;
}

json list_of(const std::vector<PackageBuild>& builds) {
  json items = json::array();
  for (const auto& build : builds) items.push_back(build.to_json());
  return {{"items", items}, {"total_count", items.size()}};
}

std::string base_url(const ServerRequest& request) {
  auto host = request.headers.find("host");
  return "http://" + (host == request.headers.end() ? "catalog" : host->second);
}

std::string now_rfc3339() {
  std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

std::string_view content_type_of(std::string_view name) {
  if (name.ends_with(".narinfo")) return "text/x-nix-narinfo";
  return name == "nix-cache-info" ? "text/x-nix-cache-info" : "application/x-nix-nar";
}

}  // namespace

void Api::authorise(const ServerRequest& request) const {
  auto header = request.headers.find("authorization");
  std::string given = header == request.headers.end() ? "" : header->second;
  std::string wanted = "Bearer " + token_;
  // Compared in constant time: the time taken must not tell how much of a guess is right.
  if (token_.empty() || given.size() != wanted.size() || CRYPTO_memcmp(given.data(), wanted.data(), wanted.size()) != 0)
    throw Error(ErrorKind::untrusted, "publishing needs the catalog's token", "set FLOX_CATALOG_TOKEN, or pass --token");
}

ServerResponse Api::handle(const ServerRequest& request) {
  ++requests_;
  const std::string& path = request.path;
  const bool reading = request.method == "GET" || request.method == "HEAD";
  constexpr std::string_view packages = "/api/v1/catalog/packages/";
  if (path.starts_with("/cache/")) return cache_file(request, std::string_view(path).substr(7));
  if (path == "/api/v1/catalog/resolve" && request.method == "POST") return as_json(resolve(records_, parse_body(request), base_url(request)));
  if (path == "/api/v1/catalog/search" && reading) {
    auto term = request.query.find("search_term");
    return as_json(list_of(records_.search(term == request.query.end() ? "" : term->second)));
  }
  if (path.starts_with(packages)) {
    std::string name = path.substr(packages.size());
    if (request.method == "POST" && name.ends_with("/builds")) return add_build(request, name.substr(0, name.size() - 7));
    auto builds = records_.builds(name);
    if (builds.empty()) throw Error(ErrorKind::not_found, fmt::format("the catalog has no package '{}'", name), "see what there is with: flox search TERM");
    if (reading) return as_json(list_of(builds));
  }
  if (path == "/metrics" && reading) return metrics();
  if ((path == "/healthz" || path == "/readyz") && reading) {
    records_.count();  // throws if the database cannot be read
    return {.body = "ok\n"};
  }
  fail(ErrorKind::not_found, "nothing is served at {} {}", request.method, path);
}

ServerResponse Api::cache_file(const ServerRequest& request, std::string_view name) {
  if (request.method == "PUT") {
    authorise(request);
    cache_.accept(name, request.body_file);
    return {.status = 201};
  }
  auto file = cache_.find(name);
  if (!file) fail(ErrorKind::not_found, "the cache has no {}", name);
  if (request.method == "GET" && name.starts_with("nar/")) ++nars_served_;
  return {.content_type = std::string(content_type_of(name)), .body_file = *file};
}

ServerResponse Api::add_build(const ServerRequest& request, const std::string& name) {
  authorise(request);
  PackageBuild build = PackageBuild::from_json(parse_body(request));
  if (build.name != name) fail(ErrorKind::invalid_input, "the record is of '{}', the address of '{}'", build.name, name);
  for (const auto& [output, path] : build.outputs)
    if (!cache_.has(path))
      throw Error(ErrorKind::invalid_input, fmt::format("{} is not in the cache", path.to_string()), "upload the closure first, as flox publish does");
  build.published_at = now_rfc3339();
  bool added = records_.add(build);
  if (added) {
    ++published_;
    log::info("published {} {} for {}, signed by {}", build.name, build.version, build.system, build.signer);
  }
  return as_json(build.to_json(), added ? 201 : 200);
}

ServerResponse Api::metrics() const {
  return {.content_type = "text/plain; version=0.0.4",
          .body = fmt::format("# TYPE flox_catalog_builds gauge\nflox_catalog_builds {}\n"
                              "# TYPE flox_catalog_requests_total counter\nflox_catalog_requests_total {}\n"
                              "# TYPE flox_catalog_published_total counter\nflox_catalog_published_total {}\n"
                              "# TYPE flox_catalog_nars_served_total counter\nflox_catalog_nars_served_total {}\n",
                              records_.count(), requests_.load(), published_.load(), nars_served_.load())};
}

}  // namespace flox::server
