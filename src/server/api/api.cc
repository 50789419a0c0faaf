#include "server/api/api.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>
#include <set>

#include "base/data/json.h"
#include "base/error.h"
#include "base/log.h"
#include "catalog/cpu_level.h"
#include "catalog/environment_name.h"
#include "nix/cache_layout.h"
#include "nix/signature.h"
#include "server/api/resolve.h"
#include "server/api/suggest.h"

namespace flox::server {
namespace {

using catalog::PackageBuild;
using nlohmann::json;

ServerResponse as_json(const json& document, int status = 200) {
  return {.status = status, .content_type = "application/json", .body = document.dump() + "\n"};
}

// A lock of a large environment has some ten thousand members.
json parse_body(const ServerRequest& request) {
  return parse_json(request.body, "the request's body",
                    {.bytes = 1 << 20, .depth = 32, .values = 50'000, .number = 32});
}

// Newest first, or whatever the order is; `page` counts from 1.
json page_of(const std::vector<PackageBuild>& builds, size_t page, size_t page_size) {
  json items = json::array();
  for (size_t i = (page - 1) * page_size; i < builds.size() && items.size() < page_size; ++i)
    items.push_back(builds[i].to_json());
  return {{"items", std::move(items)}, {"total_count", builds.size()}};
}

bool is_host(std::string_view text) {
  return !text.empty() && text.size() <= 255 && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) || std::string_view(".-_:[]").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

std::string query_of(const ServerRequest& request, const char* key) {
  auto it = request.query.find(key);
  return it == request.query.end() ? "" : it->second;
}

size_t number_of(const ServerRequest& request, const char* key, size_t otherwise, size_t most) {
  const std::string text = query_of(request, key);
  if (text.empty()) return otherwise;
  size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number == 0 || number > most)
    fail(ErrorKind::invalid_input, "'{}' must be a number from 1 to {}", key, most);
  return number;
}

bool is_reading(const ServerRequest& request) { return request.method == "GET" || request.method == "HEAD"; }

constexpr std::string_view packages_path = "/api/v1/catalog/packages/";
constexpr std::string_view environments_path = "/api/v1/environments/";
constexpr std::string_view cache_path = "/cache/";
constexpr size_t most_outputs = 32;    // of a build
constexpr size_t longest_term = 255;   // bytes, searched for
constexpr size_t largest_page = 1000;  // builds in one answer
constexpr size_t most_pages = 1'000'000;

[[noreturn]] void nothing_there(const ServerRequest& request) {
  fail(ErrorKind::not_found, "there is no resource {} {}", request.method.substr(0, 20),
       request.path.substr(0, 200));
}

// What a record's members may be, before anything is made of them.
void check_sizes(const json& record) {
  if (!record.is_object()) fail(ErrorKind::invalid_input, "a package build must be a JSON object");
  const auto outputs = record.find("outputs");
  if (outputs != record.end() && outputs->size() > most_outputs)
    fail(ErrorKind::invalid_input, "'outputs' has more than {} members", most_outputs);
  for (const auto& [key, most] : {std::pair<const char*, size_t>{"name", 255},
                                  {"version", 255},
                                  {"system", 64},
                                  {"variant", 64},
                                  {"description", 4000},
                                  {"license", 255},
                                  {"signer", 255}}) {
    const auto value = record.find(key);
    if (value == record.end() || !value->is_string()) continue;
    const auto& text = value->get_ref<const std::string&>();
    if (text.size() > most) fail(ErrorKind::invalid_input, "'{}' is over {} bytes", key, most);
    // A terminal would obey them.
    if (std::ranges::any_of(
            text, [](unsigned char c) { return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F; }))
      fail(ErrorKind::invalid_input, "'{}' has control characters", key);
  }
}

std::string not_verified(std::string_view claimed) {
  return claimed.empty() ? "not verified" : fmt::format("not verified (claims {})", claimed);
}

std::string now_rfc3339() {
  std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

// Reserved space in the data directory for a row; released unless it is kept.
class Reservation {
 public:
  Reservation(CacheFiles& cache, uint64_t bytes) : cache_(cache), bytes_(bytes) { cache_.reserve(bytes); }
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;
  ~Reservation() {
    if (!is_kept_) cache_.release(bytes_);
  }
  void keep() const noexcept {
    cache_.keep(bytes_);
    is_kept_ = true;
  }

 private:
  CacheFiles& cache_;
  uint64_t bytes_;
  mutable bool is_kept_ = false;
};

}  // namespace

Api::Api(Records& records, EnvironmentRecords& environments, CacheFiles& cache, const RegisteredKeys& keys,
         ApiOptions options)
    : records_(records),
      environments_(environments),
      cache_(cache),
      keys_(keys),
      options_(std::move(options)) {
  records_.set_signers(keys_.fingerprint(), [&](const PackageBuild& build) { return signer_of(build); });
}

void Api::authorise(const ServerRequest& request) const {
  constexpr std::string_view scheme = "Bearer ";
  const auto header = request.headers.find("authorization");
  std::string_view given = header == request.headers.end() ? std::string_view() : header->second;
  const bool is_bearer = given.starts_with(scheme);
  if (is_bearer) given.remove_prefix(scheme.size());
  if (!is_bearer || options_.token.empty() || !options_.token.equals(given))
    throw Error(ErrorKind::untrusted, "publishing needs the catalog's token",
                "Set FLOX_CATALOG_TOKEN, or pass --token-file FILE.");
}

void Api::admit(const ServerRequest& head) const {
  const std::string& path = head.path;
  const bool reading = is_reading(head);
  for (const auto& [prefix, method] :
       {std::pair{cache_path, "PUT"}, {packages_path, "POST"}, {environments_path, "POST"}})
    if (path.starts_with(prefix)) {
      if (reading) return;
      authorise(head);
      if (head.method != method) nothing_there(head);
      return;
    }
  const bool is_post = path == "/api/v1/catalog/resolve";
  if (is_post ? head.method != "POST"
              : !reading || (path != "/api/v1/catalog/search" && path != "/metrics" && path != "/readyz" &&
                             path != "/healthz"))
    nothing_there(head);
}

std::shared_ptr<UploadSink> Api::begin_upload(const ServerRequest& head) {
  if (!head.path.starts_with(cache_path)) nothing_there(head);
  return cache_.begin(std::string_view(head.path).substr(cache_path.size()));
}

// As clients reach us. What their Host field says goes into their own answers only.
std::string Api::base_url(const ServerRequest& request) const {
  if (!options_.public_url.empty()) return options_.public_url;
  const auto host = request.headers.find("host");
  const auto scheme = request.headers.find("x-forwarded-proto");
  if (host != request.headers.end() && !is_host(host->second))
    fail(ErrorKind::invalid_input, "the Host field is not a host");
  return fmt::format("{}://{}",
                     scheme != request.headers.end() && scheme->second == "https" ? "https" : "http",
                     host == request.headers.end() ? "catalog" : host->second);
}

std::string Api::signer_of(const PackageBuild& build, const std::vector<nix::NarInfo>& outputs) const {
  std::set<std::string> signers;
  bool first = true;
  for (const auto& narinfo : outputs) {
    std::set<std::string> here;
    for (const auto& signature : keys_.valid_signatures(narinfo.info))
      if (const std::string name(nix::key_name_of(signature));
          keys_.may_sign(name, build.name) && (first || signers.contains(name)))
        here.insert(name);
    signers = std::move(here);
    first = false;
  }
  if (signers.contains(build.signer)) return build.signer;
  if (!signers.empty()) return *signers.begin();
  return build.signer.starts_with(not_verified("")) ? build.signer : not_verified(build.signer);
}

std::string Api::signer_of(const PackageBuild& build) const {
  std::vector<nix::NarInfo> outputs;
  for (const auto& [output, path] : build.outputs) {
    auto narinfo = cache_.narinfo(path);
    if (!narinfo) return not_verified(build.signer);
    outputs.push_back(std::move(*narinfo));
  }
  return signer_of(build, outputs);
}

// The record says who signed and how large the closure is: people decide by that, so it must be so.
void Api::check_claims(PackageBuild& build) const {
  nix::StorePathSet paths;
  for (const auto& [output, path] : build.outputs) paths.insert(path);
  build.closure_size = 0;
  std::vector<nix::NarInfo> outputs;
  for (auto& narinfo : cache_.closure(paths)) {
    build.closure_size += narinfo.info.nar_size;
    if (!paths.contains(narinfo.info.path)) continue;
    const auto& signatures = narinfo.info.signatures;
    if (build.signer.empty() && !signatures.empty()) build.signer = nix::key_name_of(signatures.front());
    if (std::ranges::none_of(signatures,
                             [&](const auto& one) { return nix::key_name_of(one) == build.signer; }))
      fail(ErrorKind::untrusted,
           "'{}' is to have signed {}, but its narinfo in the cache bears no such signature", build.signer,
           narinfo.info.path.to_string());
    outputs.push_back(std::move(narinfo));
  }
  const std::string signer = signer_of(build, outputs);
  if (!keys_.empty() && signer != build.signer)
    throw Error(ErrorKind::untrusted,
                fmt::format("no valid signature of '{}' for {}: its key is not registered for this package",
                            build.signer, build.name),
                "The catalog's operator registers public keys: flox-catalog --trusted-key KEY.");
  build.signer = signer;
}

ServerResponse Api::handle(const ServerRequest& request) {
  requests_.Increment();
  log::debug("{} {}", request.method, request.path);
  const std::string& path = request.path;
  if (path.starts_with(cache_path))
    return cache_file(request, std::string_view(path).substr(cache_path.size()));
  if (path == "/api/v1/catalog/resolve" && request.method == "POST")
    return as_json(resolve(records_, parse_body(request), base_url(request)));
  if (path == "/api/v1/catalog/search" && is_reading(request)) return search(request);
  if (path.starts_with(packages_path)) return packages(request, path.substr(packages_path.size()));
  if (path.starts_with(environments_path)) return environment(request, path.substr(environments_path.size()));
  if (path == "/metrics" && is_reading(request)) return metrics();
  if (path == "/healthz" && is_reading(request)) return {.body = "ok\n"};
  if (path == "/readyz" && is_reading(request)) return ready();
  nothing_there(request);
}

// 503 with Retry-After unless both answer; the lines say which.
ServerResponse Api::ready() {
  ServerResponse response;
  const auto look = [&](const char* what, const std::function<void()>& check) {
    try {
      check();
      response.body += fmt::format("{}: ok\n", what);
    } catch (const Error& error) {
      log::warning("not ready: {}", error.what());
      response.status = 503;
      response.headers["Retry-After"] = "1";
      response.body += fmt::format("{}: unavailable\n", what);
    }
  };
  look("database", [&] { records_.check(); });
  look("files", [&] { cache_.check(); });
  return response;
}

ServerResponse Api::search(const ServerRequest& request) {
  const std::string term = query_of(request, "search_term");
  const std::string system = query_of(request, "system");
  if (term.size() > longest_term || system.size() > longest_term)
    fail(ErrorKind::invalid_input, "'search_term' or 'system' is over {} bytes", longest_term);
  return as_json(page_of(records_.search(term, system), number_of(request, "page", 1, most_pages),
                         number_of(request, "page_size", largest_page, largest_page)));
}

ServerResponse Api::packages(const ServerRequest& request, std::string name) {
  if (request.method == "POST" && name.ends_with("/builds"))
    return add_build(request, name.substr(0, name.size() - 7));
  if (!is_reading(request)) nothing_there(request);
  auto builds = records_.builds(name);
  if (builds.empty())
    throw Error(ErrorKind::not_found, "the catalog has no such package",
                advice_for_unknown(name, *records_.names()));
  return as_json(page_of(builds, number_of(request, "page", 1, most_pages),
                         number_of(request, "page_size", largest_page, largest_page)));
}

ServerResponse Api::cache_file(const ServerRequest& request, std::string_view name) {
  if (request.method == "PUT") {
    authorise(request);
    try {
      cache_.accept(name, *request.upload);
    } catch (const Error&) {
      uploads_refused_.Increment();
      throw;
    }
    return {.status = 201};
  }
  if (!is_reading(request)) nothing_there(request);
  auto file = cache_.find(name);
  if (!file) fail(ErrorKind::not_found, "the cache has no {}", name.substr(0, 200));
  const bool is_nar = name.starts_with(nix::nar_directory);
  if (request.method == "GET" && is_nar) nars_served_.Increment();
  ServerResponse response{.content_type = std::string(nix::media_type_of(name))};
  if (file->file) {
    response.body_file = std::move(*file->file);
  } else if (request.method == "GET" && is_nar && !file->url.empty()) {
    // Only NARs: a narinfo is so small that a second request would cost more than it.
    response.status = 307;
    response.headers["Location"] = std::move(file->url);
    response.headers["Cache-Control"] = "no-store";  // the address is good for an hour
  } else {
    response.stream = std::move(file->stream);
    response.stream_size = file->size;
  }
  return response;
}

ServerResponse Api::add_build(const ServerRequest& request, const std::string& name) {
  authorise(request);
  const json record = parse_body(request);
  check_sizes(record);
  PackageBuild build = PackageBuild::from_json(record);
  if (build.name != name)
    fail(ErrorKind::invalid_input, "the record is of '{}', the address of '{}'", build.name, name);
  if (!catalog::is_known_variant(build.variant, build.system))
    throw Error(ErrorKind::invalid_input,
                fmt::format("'variant': '{}' is not a CPU level of {}", build.variant, build.system),
                build.system == "aarch64-linux" ? "Use armv8-a."
                                                : "Use x86-64-v1, x86-64-v2, x86-64-v3 or x86-64-v4.");
  check_claims(build);
  const Reservation reservation(cache_, request.body.size());
  build.published_at = now_rfc3339();
  const bool added = records_.add(build);
  if (added) {
    reservation.keep();
    published_.Increment();
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
      fail(ErrorKind::invalid_input, "'{}' is not a generation", wanted.substr(0, 100));
    number = value;
  }
  const auto generation = environments_.find(owner, name, number);
  if (!generation) {
    if (const auto latest = environments_.find(owner, name, std::nullopt))
      throw Error(ErrorKind::not_found,
                  fmt::format("environment {}/{} has no generation {}", owner, name, *number),
                  fmt::format("Use a generation up to the latest, {}.", latest->number));
    throw Error(ErrorKind::not_found, fmt::format("the catalog has no environment {}/{}", owner, name),
                fmt::format("Run 'flox push --owner {}' to publish it.", owner));
  }
  return as_json({{"owner", owner},
                  {"name", name},
                  {"generation", generation->number},
                  {"pushed_at", generation->pushed_at},
                  {"manifest", generation->manifest},
                  {"lock", parse_json(generation->lock.to_string(), "the lock")}});
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
  const Reservation reservation(cache_, request.body.size());
  const Generation pushed = environments_.push(owner, name, generation);
  reservation.keep();
  log::info("environment {}/{} is at generation {}", owner, name, pushed.number);
  return as_json({{"generation", pushed.number}, {"pushed_at", pushed.pushed_at}}, 201);
}

ServerResponse Api::metrics() {
  builds_.Set(static_cast<double>(records_.count()));
  store_bytes_.Set(static_cast<double>(cache_.used()));
  return {.content_type = MetricsPage::content_type, .body = page_.text() + options_.further_metrics()};
}

}  // namespace flox::server
