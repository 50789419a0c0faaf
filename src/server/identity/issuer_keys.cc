#include "server/identity/issuer_keys.h"

#include <optional>

#include "base/data/json.h"
#include "base/error.h"
#include "base/log.h"
#include "base/net/http_client.h"
#include "base/net/url.h"
#include "base/os/file.h"

namespace flox::server {
namespace {

constexpr size_t largest_document = 256 << 10;  // bytes
constexpr auto keys_hold = std::chrono::hours(1);
constexpr auto least_pause = std::chrono::minutes(1);  // between two questions to an issuer
constexpr JsonLimits discovery_limits{.bytes = largest_document, .depth = 8, .values = 5000, .number = 20};

std::string get(const std::string& url) {
  HttpClient http;
  const HttpResponse response = http.send({.url = url,
                                           .timeout = std::chrono::seconds(10),
                                           .connect_timeout = std::chrono::seconds(5),
                                           .max_body = BodyLimit(largest_document)});
  if (!response.ok()) fail(ErrorKind::unavailable, "{} answered {}", printable_url(url), response.status);
  return response.body;
}

JsonWebKeys ask(const std::string& issuer) {
  return in_context(fmt::format("asking the issuer {} for its keys", printable_url(issuer)), [&] {
    std::string url = issuer;
    while (url.ends_with('/')) url.pop_back();
    const nlohmann::json document =
        parse_json(get(url + "/.well-known/openid-configuration"), "its configuration", discovery_limits);
    if (string_member(document, "issuer", "its configuration") != issuer)
      fail(ErrorKind::untrusted, "its configuration is that of another issuer");
    const std::string keys = string_member(document, "jwks_uri", "its configuration");
    check_issuer(keys);
    return JsonWebKeys::parse(get(keys));
  });
}

}  // namespace

void check_issuer(const std::string& issuer) {
  const HttpUrl url = in_context("an issuer", [&] { return HttpUrl::parse(issuer); });
  if (url.login || issuer.find_first_of("?#") != std::string::npos)
    fail(ErrorKind::invalid_input, "issuer {}: it has a login, a query or a fragment", printable_url(issuer));
  if (url.scheme != "https" && network_of_host(url.host) != Network::loopback)
    throw Error(ErrorKind::invalid_input, fmt::format("issuer {}: it is not an https URL", issuer),
                "Use https: whoever can change what it answers can be anybody here.");
}

void IssuerKeys::add(const std::string& issuer, const std::filesystem::path& file) {
  check_issuer(issuer);
  auto& entry = issuers_[issuer];
  if (!entry) entry = std::make_unique<Issuer>();
  if (file.empty()) return;
  if (!entry->file.empty() && entry->file != file)
    fail(ErrorKind::invalid_input, "issuer {} has two files of keys", issuer);
  entry->file = file;
  keys_in_file(*entry);
}

std::shared_ptr<const JsonWebKeys> IssuerKeys::keys_in_file(Issuer& issuer) {
  const std::scoped_lock lock(issuer.mutex);
  std::error_code none;
  const auto time = std::filesystem::last_write_time(issuer.file, none);
  if (issuer.keys && time == issuer.file_time) return issuer.keys;
  try {
    issuer.keys = std::make_shared<JsonWebKeys>(in_context(
        issuer.file.string(), [&] { return JsonWebKeys::parse(read_file(issuer.file, largest_document)); }));
    issuer.file_time = time;
  } catch (const Error& error) {
    if (!issuer.keys) throw Error(ErrorKind::unavailable, error.what(), error.advice());
    log::warning("{}; the keys that are known stay in use", error.what());
  }
  return issuer.keys;
}

std::shared_ptr<const JsonWebKeys> IssuerKeys::keys_of(const std::string& name, Issuer& issuer,
                                                       const Jwt& token) {
  if (!issuer.file.empty()) return keys_in_file(issuer);
  {
    const std::scoped_lock lock(issuer.mutex);
    const auto age = std::chrono::steady_clock::now() - issuer.asked_at;
    if (issuer.keys && issuer.keys->has_key_for(token) && age < keys_hold) return issuer.keys;
    const bool was_asked = issuer.asked_at.time_since_epoch().count() != 0 && age < least_pause;
    if (issuer.is_being_asked || was_asked) {
      if (issuer.keys) return issuer.keys;
      fail(ErrorKind::unavailable, "the keys of the issuer {} are not known yet", printable_url(name));
    }
    issuer.is_being_asked = true;
    issuer.asked_at = std::chrono::steady_clock::now();
  }
  std::shared_ptr<const JsonWebKeys> keys;
  std::optional<Error> failure;
  try {
    keys = std::make_shared<JsonWebKeys>(ask(name));
  } catch (const Error& error) {
    failure = error;
  }
  const std::scoped_lock lock(issuer.mutex);
  issuer.is_being_asked = false;
  if (keys) issuer.keys = std::move(keys);
  if (!issuer.keys) throw Error(ErrorKind::unavailable, failure->what());
  if (failure) log::warning("{}; the keys that are known stay in use", failure->what());
  return issuer.keys;
}

void IssuerKeys::verify(const Jwt& token) {
  const auto issuer = issuers_.find(token.issuer);
  if (issuer == issuers_.end()) fail(ErrorKind::untrusted, "its issuer is not known here");
  const auto keys = keys_of(issuer->first, *issuer->second, token);
  if (!keys->has_key_for(token)) fail(ErrorKind::untrusted, "its key is not one of its issuer's");
  if (!keys->verify(token)) fail(ErrorKind::untrusted, "its signature is not valid");
}

}  // namespace flox::server
