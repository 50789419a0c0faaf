#include "ticket/aws/client.h"

#include <algorithm>
#include <cctype>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "base/data/json.h"
#include "base/printable.h"
#include "ticket/aws/xml.h"
#include "ticket/environment.h"

namespace ticket::aws {

using namespace std::chrono_literals;
using flox::ErrorKind;

namespace {

// Ten messages of 256 KiB, whose quotes and line breaks are escaped, or an object with its limit (which asks
// for no more than it takes).
constexpr size_t most_answer_bytes = 64 << 20;

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

// What a service says about an error, and no more of it than a log line should have.
constexpr size_t longest_error = 500;

// The text of the first of these members that the answer, if it is a JSON object, has.
std::string member_of_error(const flox::HttpResponse& response, std::initializer_list<const char*> names) {
  if (response.body.find_first_not_of(" \t\r\n") == std::string::npos ||
      response.body[response.body.find_first_not_of(" \t\r\n")] != '{')
    return "";
  try {
    const auto json = parse_answer(response.body);
    for (const char* name : names)
      if (auto found = json.find(name); found != json.end() && found->is_string())
        return found->get<std::string>();
  } catch (const flox::Error&) {
    // An answer of another form says nothing here.
  }
  return "";
}

std::string error_text(const flox::HttpResponse& response) {
  std::string text = member_of_error(response, {"message", "Message"});
  if (text.empty()) text = xml_text(response.body, "Message").value_or("");
  if (text.size() > longest_error) text.replace(longest_error, std::string::npos, "…");
  return text;
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

std::string error_code(const flox::HttpResponse& response) {
  std::string code = member_of_error(response, {"__type"});
  if (code.empty()) code = xml_text(response.body, "Code").value_or("");
  if (size_t hash = code.rfind('#'); hash != std::string::npos) code.erase(0, hash + 1);
  return code.substr(0, std::min(code.find(':'), longest_error));
}

nlohmann::json parse_answer(std::string_view text) {
  try {
    auto answer =
        flox::parse_json(text, "the answer", {.bytes = most_answer_bytes, .depth = 32, .values = 1 << 16});
    if (answer.is_object()) return answer;
  } catch (const flox::Error& error) {
    flox::fail(ErrorKind::unavailable, "the answer is not a JSON object: {}", error.what());
  }
  flox::fail(ErrorKind::unavailable, "the answer is not a JSON object");
}

ErrorKind meaning_of(int status, const std::string& code) {
  static const std::map<std::string, ErrorKind> known{
      {"QueueDoesNotExist", ErrorKind::not_found},
      {"AWS.SimpleQueueService.NonExistentQueue", ErrorKind::not_found},
      {"ResourceNotFoundException", ErrorKind::not_found},
      {"AccessDeniedException", ErrorKind::untrusted},
      {"UnrecognizedClientException", ErrorKind::untrusted},
      {"InvalidClientTokenId", ErrorKind::untrusted},
      {"InvalidSignatureException", ErrorKind::untrusted},
      {"SignatureDoesNotMatch", ErrorKind::untrusted},
      {"MissingAuthenticationTokenException", ErrorKind::untrusted},
      {"ExpiredToken", ErrorKind::untrusted},
      {"ExpiredTokenException", ErrorKind::untrusted},
      {"ConditionalCheckFailedException", ErrorKind::conflict},
      {"ResourceInUseException", ErrorKind::conflict},
      {"QueueAlreadyExists", ErrorKind::conflict},
      {"QueueNameExists", ErrorKind::conflict},
      {"ConditionalRequestConflict", ErrorKind::unavailable},  // S3 asks for the same request again
      {"OperationAborted", ErrorKind::unavailable},
      {"RequestTimeout", ErrorKind::unavailable},
      {"ProvisionedThroughputExceededException", ErrorKind::unavailable},
      {"RequestLimitExceeded", ErrorKind::unavailable},
      {"TransactionInProgressException", ErrorKind::unavailable},
      {"SlowDown", ErrorKind::unavailable}};
  if (auto found = known.find(code); found != known.end()) return found->second;
  if (code.find("Throttl") != std::string::npos || code.find("TooManyRequests") != std::string::npos)
    return ErrorKind::unavailable;
  if (status >= 500 || status == 429 || status == 408) return ErrorKind::unavailable;
  if (status == 401 || status == 403) return ErrorKind::untrusted;
  if (status == 404) return ErrorKind::not_found;
  if (status == 409 || status == 412) return ErrorKind::conflict;
  return ErrorKind::invalid_input;
}

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
