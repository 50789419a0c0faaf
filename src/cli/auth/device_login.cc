#include "cli/auth/device_login.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/data/json.h"
#include "base/error.h"
#include "base/net/form.h"
#include "base/net/http_client.h"
#include "base/net/url.h"
#include "base/printable.h"

namespace flox::cli {
namespace {

using nlohmann::json;

constexpr BodyLimit largest_answer(256 << 10);
constexpr JsonLimits answer_limits{.bytes = 256 << 10, .depth = 8, .values = 5000, .number = 20};
constexpr const char* answer_name = "the issuer's answer";
constexpr const char* grant_type = "urn:ietf:params:oauth:grant-type:device_code";
constexpr int64_t longest_wait = 3600;  // seconds for the user, whatever the issuer says
constexpr int64_t longest_pause = 60;
constexpr size_t longest_told = 300;  // characters

// Passwords and tokens go there.
void check_endpoint(const std::string& url) {
  const HttpUrl parsed = HttpUrl::parse(url);
  if (parsed.login || (parsed.scheme != "https" && network_of_host(parsed.host) != Network::loopback))
    throw Error(ErrorKind::untrusted, fmt::format("{} is not an https URL", printable_url(url)),
                "Ask the catalog's operator for an issuer with https.");
}

std::string endpoint(const json& configuration, const char* key) {
  std::string url = optional_string(configuration, key, answer_name);
  if (url.empty())
    throw Error(ErrorKind::unavailable, fmt::format("the issuer has no '{}'", key),
                "Log in with a token instead: flox auth login --token-file FILE.");
  check_endpoint(url);
  return url;
}

json configuration_of(HttpClient& http, const std::string& issuer) {
  check_endpoint(issuer);
  std::string url = issuer;
  while (url.ends_with('/')) url.pop_back();
  const HttpResponse response =
      http.send({.url = url + "/.well-known/openid-configuration", .max_body = largest_answer});
  if (!response.ok()) fail(ErrorKind::unavailable, "it answered {}", response.status);
  json configuration = parse_json(response.body, answer_name, answer_limits);
  if (string_member(configuration, "issuer", answer_name) != issuer)
    fail(ErrorKind::untrusted, "its configuration is that of another issuer");
  return configuration;
}

int64_t seconds_in(const json& answer, const char* key, int64_t otherwise, int64_t most) {
  const auto found = answer.find(key);
  if (found == answer.end() || !found->is_number_integer()) return otherwise;
  return std::clamp(found->get<int64_t>(), int64_t{1}, most);
}

json answer_of(HttpClient& http, const std::string& url, const Form& form, bool& ok) {
  const HttpResponse response = http.send(form_request(url, form, largest_answer));
  ok = response.ok();
  json answer = parse_json(response.body, answer_name, answer_limits);
  if (!answer.is_object()) fail(ErrorKind::unavailable, "{} is not an object", answer_name);
  return answer;
}

[[noreturn]] void fail_with(const json& answer) {
  const std::string error = optional_string(answer, "error", answer_name);
  if (error == "access_denied") fail(ErrorKind::untrusted, "the login was refused");
  if (error == "expired_token")
    throw Error(ErrorKind::unavailable, "nobody entered the code in time", "Run 'flox auth login' again.");
  fail(ErrorKind::unavailable, "the issuer answered '{}' {}", printable(error, longest_told),
       printable(optional_string(answer, "error_description", answer_name), longest_told));
}

}  // namespace

Secret log_in_at(const DeviceLogin& login, const std::function<void(const DeviceCode&)>& show) {
  HttpClient http;
  return in_context(fmt::format("logging in at {}", printable_url(login.issuer)), [&] {
    const json configuration = configuration_of(http, login.issuer);
    const std::string token_url = endpoint(configuration, "token_endpoint");
    bool ok = false;
    const json device =
        answer_of(http, endpoint(configuration, "device_authorization_endpoint"),
                  {{"client_id", Secret(login.client_id)}, {"scope", Secret(login.scope)}}, ok);
    if (!ok) fail_with(device);
    const Secret device_code(string_member(device, "device_code", answer_name));
    show({.url = printable(string_member(device, "verification_uri", answer_name), longest_told),
          .code = printable(string_member(device, "user_code", answer_name), longest_told),
          .complete_url =
              printable(optional_string(device, "verification_uri_complete", answer_name), longest_told)});
    const auto end = std::chrono::steady_clock::now() +
                     std::chrono::seconds(seconds_in(device, "expires_in", longest_wait, longest_wait));
    int64_t pause = seconds_in(device, "interval", 5, longest_pause);
    while (std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::seconds(pause));
      const json answer = answer_of(http, token_url,
                                    {{"grant_type", Secret(grant_type)},
                                     {"device_code", device_code},
                                     {"client_id", Secret(login.client_id)}},
                                    ok);
      if (ok) return Secret(string_member(answer, "id_token", answer_name));
      const std::string error = optional_string(answer, "error", answer_name);
      if (error == "slow_down")
        pause = std::min(pause + 5, longest_pause);
      else if (error != "authorization_pending")
        fail_with(answer);
    }
    throw Error(ErrorKind::unavailable, "nobody entered the code in time", "Run 'flox auth login' again.");
  });
}

}  // namespace flox::cli
