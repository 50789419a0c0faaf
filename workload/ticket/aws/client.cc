#include "ticket/aws/client.h"

#include <algorithm>
#include <cctype>
#include <mutex>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "base/printable.h"
#include "ticket/aws/answer.h"
#include "ticket/environment.h"

namespace ticket::aws {

using namespace std::chrono_literals;
using flox::ErrorKind;

namespace {

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

std::optional<std::string> service_endpoint(const std::string& service) {
  std::string name = "AWS_ENDPOINT_URL_" + service;
  std::ranges::transform(name, name.begin(),
                         [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return environment(name.c_str());
}

// Full jitter: anything up to a bound that doubles with each attempt, so that replicas do not retry in step.
std::chrono::milliseconds pause_after(int attempt) {
  thread_local std::mt19937 random{std::random_device{}()};
  long bound = std::min(100L << attempt, 5000L);
  return std::chrono::milliseconds(std::uniform_int_distribution<long>(bound / 4, bound)(random));
}

}  // namespace

Config Config::from_environment() {
  Config config;
  config.localstack = environment_flag("USE_LOCALSTACK");
  config.endpoint =
      without_slash(environment_or({"AWS_ENDPOINT_URL"}, config.localstack ? "http://localhost:4566" : ""));
  if (!config.endpoint.empty() && !config.endpoint.starts_with("http://") &&
      !config.endpoint.starts_with("https://"))
    flox::fail(ErrorKind::invalid_input,
               "AWS_ENDPOINT_URL is '{}', but it must begin with http:// or https://",
               flox::printable(config.endpoint, 200));
  config.region = environment_or({"AWS_REGION", "AWS_DEFAULT_REGION"}, "");
  if (config.region.empty()) config.region = load_profile()["region"].reveal();
  if (config.region.empty()) config.region = "us-east-1";
  config.max_attempts =
      static_cast<int>(environment_number("AWS_MAX_ATTEMPTS", 1, 20).value_or(config.max_attempts));
  return config;
}

bool Config::has_own_endpoint(const std::string& service) const {
  return !endpoint.empty() || service_endpoint(service).has_value();
}

std::string Config::endpoint_of(const std::string& service) const {
  if (auto own = service_endpoint(service)) return without_slash(*own);
  if (!endpoint.empty()) return endpoint;
  return "https://" + service + "." + region + ".amazonaws.com" + (region.starts_with("cn-") ? ".cn" : "");
}

struct Client::Shared {
  explicit Shared(Config given)
      : config(std::move(given)),
        credentials({.sts_endpoint = config.endpoint_of("sts"), .fall_back_to_test = config.localstack}) {}

  Config config;
  CredentialsProvider credentials;
  std::atomic<std::chrono::seconds> clock_offset{0s};  // the service's clock minus ours, once it complained
  std::mutex mutex;
  std::vector<flox::HttpClient> idle;  // connections are kept for the next caller

  flox::HttpClient take() {
    std::lock_guard lock(mutex);
    if (idle.empty()) return {};
    flox::HttpClient client = std::move(idle.back());
    idle.pop_back();
    return client;
  }
  void give_back(flox::HttpClient client) {
    client.set_cancel_check(nullptr);
    std::lock_guard lock(mutex);
    idle.push_back(std::move(client));
  }
  // A service that cannot be asked for lack of credentials says nothing about what it holds: not "not found".
  Credentials get_credentials() {
    try {
      return credentials.get();
    } catch (const flox::Error& error) {
      if (error.kind() != ErrorKind::not_found) throw;
      throw flox::Error(ErrorKind::untrusted, error.what(), error.advice());
    }
  }
  // After a complaint about the time: believes the service's clock. False if it is near ours.
  bool adjust_clock(const flox::HttpResponse& response);
};

bool Client::Shared::adjust_clock(const flox::HttpResponse& response) {
  auto date = response.headers.find("date");
  if (date == response.headers.end()) return false;
  std::tm parts{};
  if (strptime(date->second.c_str(), "%a, %d %b %Y %H:%M:%S", &parts) == nullptr) return false;
  auto now = std::chrono::system_clock::now() + clock_offset.load();
  auto skew = std::chrono::duration_cast<std::chrono::seconds>(
      std::chrono::system_clock::from_time_t(timegm(&parts)) - now);
  if (skew < 2min && skew > -2min) return false;
  clock_offset = clock_offset.load() + skew;
  return true;
}

Client::Client(Config config) : shared_(std::make_shared<Shared>(std::move(config))) {}

Client Client::with_cancel(CancelCheck cancelled) const {
  Client copy = *this;
  copy.cancelled_ = std::move(cancelled);
  return copy;
}

const Config& Client::config() const noexcept { return shared_->config; }

namespace {

// Complaints that other credentials or another clock may settle at once.
bool about_credentials(const std::string& code) {
  static const std::set<std::string> codes{"ExpiredToken", "ExpiredTokenException", "RequestExpired",
                                           "InvalidClientTokenId", "UnrecognizedClientException"};
  return codes.contains(code);
}

bool about_time(const std::string& code) {
  static const std::set<std::string> codes{"RequestTimeTooSkewed", "InvalidSignatureException",
                                           "SignatureDoesNotMatch", "RequestExpired", "AuthFailure"};
  return codes.contains(code);
}

}  // namespace

flox::HttpResponse Client::call(const std::string& service, const std::string& what,
                                const flox::HttpRequest& request,
                                std::chrono::milliseconds extra_time) const {
  auto cancelled = [this] { return cancelled_ && cancelled_(); };
  bool renewed = false;  // credentials and clock are set right once a call
  for (int attempt = 1;; ++attempt) {
    std::optional<flox::Error> problem;
    try {
      flox::HttpRequest signed_request = request;
      signed_request.connect_timeout = shared_->config.connect_timeout;
      signed_request.timeout = shared_->config.timeout + extra_time;
      Time now = std::chrono::system_clock::now() + shared_->clock_offset.load();
      sign(signed_request, shared_->get_credentials(), {.region = shared_->config.region, .service = service},
           now);
      flox::HttpClient http = shared_->take();
      http.set_cancel_check(cancelled_);
      flox::HttpResponse response = http.send(signed_request);
      shared_->give_back(std::move(http));
      if (response.ok()) return response;

      std::string code = error_code(response);
      std::string text = error_text(response);
      problem = flox::Error(
          meaning_of(response.status, code),
          fmt::format("{}{}{} (HTTP {})", code.empty() ? "refused" : flox::printable(code, longest_error),
                      text.empty() ? "" : ": ", flox::printable(text, longest_error), response.status));
      if (!renewed && (about_credentials(code) || about_time(code))) {
        renewed = true;
        if (about_credentials(code)) shared_->credentials.discard();
        if (about_time(code)) shared_->adjust_clock(response);
        continue;
      }
    } catch (const flox::Error& error) {
      problem = error;
    }
    bool again =
        problem->kind() == ErrorKind::unavailable && attempt < shared_->config.max_attempts && !cancelled();
    if (!again) throw problem->with_context(what);
    auto until = std::chrono::steady_clock::now() + pause_after(attempt);
    while (std::chrono::steady_clock::now() < until && !cancelled())
      std::this_thread::sleep_for(
          std::min<std::chrono::steady_clock::duration>(until - std::chrono::steady_clock::now(), 100ms));
  }
}

std::string Client::call_json(const std::string& service, const std::string& target, const std::string& body,
                              std::chrono::milliseconds extra_time) const {
  flox::HttpRequest request{.method = "POST",
                            .url = shared_->config.endpoint_of(service) + "/",
                            .max_body = flox::BodyLimit(most_answer_bytes)};
  request.headers = {{"Content-Type", "application/x-amz-json-1.0"}, {"X-Amz-Target", target}};
  request.body = body;
  return call(service, target, request, extra_time).body;
}

}  // namespace ticket::aws
