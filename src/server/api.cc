#include "server/api.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/log.h"
#include "catalog/cpu_level.h"
#include "catalog/environment_name.h"
#include "server/resolve.h"
#include "server/suggest.h"

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

// As the client sees us; a TLS proxy in front says so.
std::string base_url(const ServerRequest& request) {
  auto host = request.headers.find("host");
  auto scheme = request.headers.find("x-forwarded-proto");
  return fmt::format("{}://{}",
                     scheme != request.headers.end() && scheme->second == "https" ? "https" : "http",
                     host == request.headers.end() ? "catalog" : host->second);
}

std::string query_of(const ServerRequest& request, const char* key) {
  auto it = request.query.find(key);
  return it == request.query.end() ? "" : it->second;
}

bool is_reading(const ServerRequest& request) { return request.method == "GET" || request.method == "HEAD"; }

constexpr std::string_view packages_path = "/api/v1/catalog/packages/";
constexpr std::string_view environments_path = "/api/v1/environments/";
constexpr std::string_view cache_path = "/cache/";

[[noreturn]] void nothing_there(const ServerRequest& request) {
  fail(ErrorKind::not_found, "nothing is served at {} {}", request.method, request.path);
}

std::string signer_of(std::string_view signature) {
  return std::string(signature.substr(0, signature.find(':')));
}

// The record says who signed and how large the closure is: people decide by that, so it must be so.
void check_claims(PackageBuild& build, const CacheFiles& cache) {
  nix::StorePathSet outputs;
  for (const auto& [output, path] : build.outputs) outputs.insert(path);
  build.closure_size = 0;
  for (const auto& narinfo : cache.closure(outputs)) {
    build.closure_size += narinfo.info.nar_size;
    if (!outputs.contains(narinfo.info.path)) continue;
    const auto& signatures = narinfo.info.signatures;
    if (build.signer.empty() && !signatures.empty()) build.signer = signer_of(signatures.front());
    if (std::ranges::none_of(signatures, [&](const auto& one) { return signer_of(one) == build.signer; }))
      fail(ErrorKind::untrusted,
           "'{}' is to have signed {}, but its narinfo in the cache bears no such signature", build.signer,
           narinfo.info.path.to_string());
  }
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
  if (token_.empty() || given.size() != wanted.size() ||
      CRYPTO_memcmp(given.data(), wanted.data(), wanted.size()) != 0)
    throw Error(ErrorKind::untrusted, "publishing needs the catalog's token",
                "set FLOX_CATALOG_TOKEN, or pass --token");
}

void Api::admit(const ServerRequest& head) const {
  if (!is_reading(head) && (head.path.starts_with(cache_path) || head.path.starts_with(packages_path) ||
                            head.path.starts_with(environments_path)))
    authorise(head);
}

ServerResponse Api::handle(const ServerRequest& request) {
  ++requests_;
  log::debug("{} {}", request.method, request.path);
  const std::string& path = request.path;
  if (path.starts_with(cache_path))
    return cache_file(request, std::string_view(path).substr(cache_path.size()));
  if (path == "/api/v1/catalog/resolve" && request.method == "POST")
    return as_json(resolve(records_, parse_body(request), base_url(request)));
  if (path == "/api/v1/catalog/search" && is_reading(request))
    return as_json(list_of(records_.search(query_of(request, "search_term"), query_of(request, "system"))));
  if (path.starts_with(packages_path)) return packages(request, path.substr(packages_path.size()));
  if (path.starts_with(environments_path)) return environment(request, path.substr(environments_path.size()));
  if (path == "/metrics" && is_reading(request)) return metrics();
  if (path == "/healthz" && is_reading(request)) return {.body = "ok\n"};
  if (path == "/readyz" && is_reading(request)) {
    records_.count();  // throws if the database cannot be read
    return {.body = "ok\n"};
  }
  nothing_there(request);
}

ServerResponse Api::packages(const ServerRequest& request, std::string name) {
  if (request.method == "POST" && name.ends_with("/builds"))
    return add_build(request, name.substr(0, name.size() - 7));
  if (!is_reading(request)) nothing_there(request);
  auto builds = records_.builds(name);
  if (builds.empty())
    throw Error(ErrorKind::not_found, "the catalog has no such package",
                advice_for_unknown(name, records_.names()));
  return as_json(list_of(builds));
}

ServerResponse Api::cache_file(const ServerRequest& request, std::string_view name) {
  if (request.method == "PUT") {
    authorise(request);
    cache_.accept(name, request.body_file);
    return {.status = 201};
  }
  if (!is_reading(request)) nothing_there(request);
  auto file = cache_.find(name);
  if (!file) fail(ErrorKind::not_found, "the cache has no {}", name);
  if (request.method == "GET" && name.starts_with("nar/")) ++nars_served_;
  return {.content_type = std::string(content_type_of(name)), .body_file = *file};
}

ServerResponse Api::add_build(const ServerRequest& request, const std::string& name) {
  authorise(request);
  PackageBuild build = PackageBuild::from_json(parse_body(request));
  if (build.name != name)
    fail(ErrorKind::invalid_input, "the record is of '{}', the address of '{}'", build.name, name);
  if (!catalog::is_known_variant(build.variant, build.system))
    throw Error(
        ErrorKind::invalid_input,
        fmt::format("'variant': '{}' is no CPU level of {}", build.variant, build.system),
        build.system == "aarch64-linux" ? "the level is armv8-a" : "levels are x86-64-v1 to x86-64-v4");
  check_claims(build, cache_);
  build.published_at = now_rfc3339();
  bool added = records_.add(build);
  if (added) {
    ++published_;
    log::info("published {} {} for {}, signed by {}", build.name, build.version, build.system, build.signer);
  }
  return as_json(records_.find(build).value_or(build).to_json(), added ? 201 : 200);
}

ServerResponse Api::environment(const ServerRequest& request, const std::string& reference) {
  const size_t slash = reference.find('/');
  const std::string owner = reference.substr(0, slash),
                    name = slash == std::string::npos ? "" : reference.substr(slash + 1);
  catalog::check_environment_name(owner, name);
  if (request.method == "POST") return push(request, owner, name);
  if (!is_reading(request)) nothing_there(request);
  std::optional<int64_t> number;
  if (const std::string wanted = query_of(request, "generation"); !wanted.empty()) {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(wanted.data(), wanted.data() + wanted.size(), value);
    if (error != std::errc() || end != wanted.data() + wanted.size())
      fail(ErrorKind::invalid_input, "'{}' is no generation", wanted);
    number = value;
  }
  const auto generation = environments_.find(owner, name, number);
  if (!generation) {
    if (const auto latest = environments_.find(owner, name, std::nullopt))
      throw Error(ErrorKind::not_found,
                  fmt::format("environment {}/{} has no generation {}", owner, name, *number),
                  fmt::format("the latest is {}", latest->number));
    throw Error(ErrorKind::not_found, fmt::format("the catalog has no environment {}/{}", owner, name),
                "push it: flox push --owner " + owner);
  }
  return as_json({{"owner", owner},
                  {"name", name},
                  {"generation", generation->number},
                  {"pushed_at", generation->pushed_at},
                  {"manifest", generation->manifest},
                  {"lock", json::parse(generation->lock.to_string())}});
}

ServerResponse Api::push(const ServerRequest& request, const std::string& owner, const std::string& name) {
  authorise(request);
  const json body = parse_body(request);
  if (!body.is_object() || !body.contains("lock") || !body.contains("manifest") ||
      !body["manifest"].is_string())
    fail(ErrorKind::invalid_input, "the body needs 'manifest', a text, and 'lock', an object");
  Generation generation{.number = 0,
                        .manifest = body["manifest"],
                        .lock = env::Lockfile::parse(body["lock"].dump()),
                        .pushed_at = now_rfc3339()};
  const Generation pushed = environments_.push(owner, name, generation);
  log::info("environment {}/{} is at generation {}", owner, name, pushed.number);
  return as_json({{"generation", pushed.number}, {"pushed_at", pushed.pushed_at}}, 201);
}

ServerResponse Api::metrics() const {
  return {.content_type = "text/plain; version=0.0.4",
          .body = fmt::format(
              "# TYPE flox_catalog_builds gauge\nflox_catalog_builds {}\n"
              "# TYPE flox_catalog_requests_total counter\nflox_catalog_requests_total {}\n"
              "# TYPE flox_catalog_published_total counter\nflox_catalog_published_total {}\n"
              "# TYPE flox_catalog_nars_served_total counter\nflox_catalog_nars_served_total {}\n",
              records_.count(), requests_.load(), published_.load(), nars_served_.load())};
}

}  // namespace flox::server
