#include "cli/auth/device_login.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/data/json.h"
#include "base/error.h"
#include "base/net/url.h"
#include "base/printable.h"

namespace flox::cli {
namespace {

using nlohmann::json;

constexpr const char* grant_type = "urn:ietf:params:oauth:grant-type:device_code";
constexpr int64_t longest_wait = 3600;  // seconds for the user, whatever the issuer says
constexpr int64_t longest_pause = 60;

int64_t seconds_in(const json& answer, const char* key, int64_t otherwise, int64_t most) {
  const auto found = answer.find(key);
  if (found == answer.end() || !found->is_number_integer()) return otherwise;
  return std::clamp(found->get<int64_t>(), int64_t{1}, most);
}

// A page that somebody is asked to open: of the web, and as it will be shown.
std::string page_in(const json& device, const char* key) {
  const std::string url = optional_string(device, key, issuer_answer);
  if (url.empty()) return url;
  in_context(key, [&] { HttpUrl::parse(url); });
  return printable(url, longest_issuer_text);
}

DeviceCode code_in(const json& device) {
  DeviceCode code{.url = page_in(device, "verification_uri"),
                  .code = printable(string_member(device, "user_code", issuer_answer), longest_issuer_text),
                  .complete_url = page_in(device, "verification_uri_complete")};
  if (code.url.empty()) fail(ErrorKind::unavailable, "the issuer names no page");
  return code;
}

}  // namespace

Secret log_in_by_device(const IssuerLogin& login, const std::function<void(const DeviceCode&)>& show) {
  return in_context(fmt::format("logging in at {}", printable_url(login.issuer)), [&] {
    Issuer issuer(login.issuer);
    const std::string advice =
        "Log in with a browser on this machine, 'flox auth login --browser', or with a token, '--token-file "
        "FILE'.";
    const std::string token_url = issuer.endpoint("token_endpoint", advice);
    const auto begun = issuer.ask(issuer.endpoint("device_authorization_endpoint", advice),
                                  {{"client_id", Secret(login.client_id)}, {"scope", Secret(login.scope)}});
    const json& device = begun.document;
    if (!begun.ok) Issuer::fail_with(device);
    const Secret device_code(string_member(device, "device_code", issuer_answer));
    show(code_in(device));
    const auto end = std::chrono::steady_clock::now() +
                     std::chrono::seconds(seconds_in(device, "expires_in", longest_wait, longest_wait));
    int64_t pause = seconds_in(device, "interval", 5, longest_pause);
    while (std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::seconds(pause));
      const auto answer = issuer.ask(token_url, {{"grant_type", Secret(grant_type)},
                                                 {"device_code", device_code},
                                                 {"client_id", Secret(login.client_id)}});
      if (answer.ok) return issuer.id_token(answer.document, login.client_id, "");
      const std::string error = optional_string(answer.document, "error", issuer_answer);
      if (error == "slow_down")
        pause = std::min(pause + 5, longest_pause);
      else if (error != "authorization_pending")
        Issuer::fail_with(answer.document);
    }
    Issuer::fail_expired();
  });
}

}  // namespace flox::cli
