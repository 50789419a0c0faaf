#include "base/net/issuer.h"

#include <algorithm>

#include "base/data/json.h"
#include "base/data/jws.h"
#include "base/error.h"
#include "base/net/url.h"
#include "base/printable.h"

namespace flox {
namespace {

using nlohmann::json;

constexpr BodyLimit largest_answer(256 << 10);
constexpr JsonLimits answer_limits{.bytes = 256 << 10, .depth = 8, .values = 5000, .number = 20};
constexpr size_t longest_id_token = 16 << 10;  // as the catalog takes it

// Passwords and tokens go there.
void check_endpoint(const std::string& url) {
  const HttpUrl parsed = HttpUrl::parse(url);
  if (parsed.login || (parsed.scheme != "https" && network_of_host(parsed.host) != Network::loopback))
    throw Error(ErrorKind::untrusted, fmt::format("{} is not an https URL", printable_url(url)),
                "Ask the catalog's operator for an issuer with https.");
}

bool is_audience(const json& audience, const std::string& client_id) {
  if (audience.is_array()) return std::ranges::find(audience, json(client_id)) != audience.end();
  return audience == json(client_id);
}

}  // namespace

Issuer::Issuer(std::string url, std::chrono::seconds timeout) : url_(std::move(url)), timeout_(timeout) {
  check_endpoint(url_);
  std::string base = url_;
  while (base.ends_with('/')) base.pop_back();
  const HttpResponse response = HttpClient().send(
      {.url = base + "/.well-known/openid-configuration", .timeout = timeout_, .max_body = largest_answer});
  if (response.is_foreign) fail(ErrorKind::untrusted, "it sends on to another server for its configuration");
  if (!response.ok()) fail(ErrorKind::unavailable, "it answered {}", response.status);
  configuration_ = parse_json(response.body, issuer_answer, answer_limits);
  if (string_member(configuration_, "issuer", issuer_answer) != url_)
    fail(ErrorKind::untrusted, "its configuration is that of another issuer");
}

std::string Issuer::endpoint(const char* key, const std::string& advice) const {
  std::string url = optional_string(configuration_, key, issuer_answer);
  if (url.empty()) throw Error(ErrorKind::unavailable, fmt::format("the issuer has no '{}'", key), advice);
  check_endpoint(url);
  return url;
}

bool Issuer::lists(const char* key, std::string_view text) const {
  const auto list = configuration_.find(key);
  return list != configuration_.end() && list->is_array() &&
         std::ranges::find(*list, json(text)) != list->end();
}

bool Issuer::says(const char* key) const {
  const auto member = configuration_.find(key);
  return member != configuration_.end() && *member == true;
}

Issuer::Answer Issuer::ask(const std::string& url, const Form& form) const {
  HttpRequest request = form_request(url, form, largest_answer);
  request.timeout = timeout_;
  const HttpResponse response = HttpClient().send(request);
  Answer answer{.ok = response.ok(), .document = parse_json(response.body, issuer_answer, answer_limits)};
  if (!answer.document.is_object()) fail(ErrorKind::unavailable, "{} is not an object", issuer_answer);
  return answer;
}

void Issuer::fail_with(const std::string& error, const std::string& description) {
  if (error == "access_denied") fail(ErrorKind::untrusted, "the login was refused");
  if (error == "expired_token") fail_expired();
  fail(ErrorKind::unavailable, "the issuer answered '{}' {}", printable(error, longest_issuer_text),
       printable(description, longest_issuer_text));
}

void Issuer::fail_expired() {
  throw Error(ErrorKind::unavailable, "nobody entered the code in time", "Run 'flox auth login' again.");
}

void Issuer::fail_with(const json& answer) {
  fail_with(optional_string(answer, "error", issuer_answer),
            optional_string(answer, "error_description", issuer_answer));
}

Secret Issuer::id_token(const json& answer, const std::string& client_id, const std::string& nonce) const {
  Secret token(string_member(answer, "id_token", issuer_answer));
  const CompactJws jws = CompactJws::parse(token.reveal(), longest_id_token, "the ID token");
  constexpr const char* claims_name = "the ID token's claims";
  const json claims = parse_json(jws.payload, claims_name, answer_limits);
  if (!claims.is_object() || string_member(claims, "iss", claims_name) != url_)
    fail(ErrorKind::untrusted, "the ID token is of another issuer");
  if (!is_audience(member(claims, "aud", claims_name), client_id))
    fail(ErrorKind::untrusted, "the ID token is for another client");
  if (!nonce.empty() && optional_string(claims, "nonce", claims_name) != nonce)
    fail(ErrorKind::untrusted, "the ID token is of another login: its nonce is not the one that was sent");
  return token;
}

}  // namespace flox
