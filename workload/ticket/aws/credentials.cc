#include "ticket/aws/credentials.h"

#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "base/error.h"
#include "base/os/file.h"
#include "base/printable.h"
#include "ticket/aws/answer.h"
#include "ticket/environment.h"

namespace ticket::aws {
namespace {

using namespace std::chrono_literals;
using flox::ErrorKind;
using flox::fail;

// Without the white space at its end.
std::string trimmed(std::string text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  return text;
}

// Answers of credential services are a few hundred bytes.
constexpr flox::BodyLimit max_answer(64 << 10);

// What the container endpoint and the metadata service answer. What is wrong with it is said without quoting
// it.
Credentials parse_json_credentials(const std::string& text) {
  nlohmann::json json;
  try {
    json = flox::parse_json(text, "its answer", {.bytes = 64 << 10, .depth = 8, .values = 256});
  } catch (const flox::Error&) {
    fail(ErrorKind::unavailable, "its answer is not JSON that can be taken");
  }
  auto part = [&](const char* name) -> std::string {
    auto found = json.find(name);
    return found != json.end() && found->is_string() ? found->get<std::string>() : "";
  };
  Credentials found{.access_key = part("AccessKeyId"),
                    .secret_key = flox::Secret(part("SecretAccessKey")),
                    .session_token = flox::Secret(part("Token")),
                    .expires = std::nullopt};
  if (found.access_key.empty() || found.secret_key.empty())
    fail(ErrorKind::unavailable, "its answer is not a JSON object with AccessKeyId and SecretAccessKey");
  if (std::string time = part("Expiration"); !time.empty()) found.expires = parse_utc(time);
  return found;
}

}  // namespace

Time parse_utc(const std::string& text) {
  std::tm parts{};
  const char* end = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (end == nullptr) fail(ErrorKind::invalid_input, "'{}' is not a time as in 2026-11-23T12:00:00Z", text);
  return std::chrono::system_clock::from_time_t(timegm(&parts));
}

CredentialsProvider::CredentialsProvider(Options options) : options_(std::move(options)) {}

Credentials CredentialsProvider::get() {
  std::lock_guard lock(mutex_);
  Time now = options_.now();
  if (current_ && now < renew_at_) return *current_;
  try {
    current_ = find();
  } catch (const flox::Error&) {
    // Renewal begins early; until they really expire, those at hand are better than none.
    if (current_ && current_->expires && now < *current_->expires) return *current_;
    throw;
  }
  renew_at_ = Time::max();
  // Five minutes before they expire, or half-way for those that live shorter than ten.
  if (current_->expires)
    renew_at_ = *current_->expires - std::min<Time::duration>(5min, (*current_->expires - now) / 2);
  return *current_;
}

void CredentialsProvider::discard() {
  std::lock_guard lock(mutex_);
  current_.reset();
}

Credentials CredentialsProvider::find() {
  if (auto found = credentials_in_environment()) return *found;

  auto role = environment("AWS_ROLE_ARN");
  auto token_file = environment("AWS_WEB_IDENTITY_TOKEN_FILE");
  if (role && token_file) return from_web_identity(*role, *token_file);

  auto profile = load_profile();
  if (auto found = credentials_in(profile)) return *found;
  if (profile.contains("role_arn") && profile.contains("web_identity_token_file"))
    return from_web_identity(profile["role_arn"].reveal(), profile["web_identity_token_file"].reveal());

  if (auto url = environment("AWS_CONTAINER_CREDENTIALS_FULL_URI")) return from_container(*url);
  if (auto path = environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"))
    return from_container("http://169.254.170.2" + *path);

  if (options_.fall_back_to_test)
    return {.access_key = "test", .secret_key = flox::Secret("test"), .session_token = {}, .expires = {}};
  std::string instance = "the EC2 instance's metadata service (AWS_EC2_METADATA_DISABLED is true)";
  if (!environment_flag("AWS_EC2_METADATA_DISABLED")) {
    try {
      return from_instance();
    } catch (const flox::Error& error) {
      instance = error.what();
    }
  }
  throw flox::Error(ErrorKind::not_found,
                    fmt::format("no AWS credentials: looked at AWS_ACCESS_KEY_ID, AWS_ROLE_ARN with "
                                "AWS_WEB_IDENTITY_TOKEN_FILE, the shared files (profile {}), "
                                "AWS_CONTAINER_CREDENTIALS_FULL_URI, and {}",
                                profile_name(), instance),
                    "On EKS annotate the service account with eks.amazonaws.com/role-arn; elsewhere set "
                    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; for LocalStack set USE_LOCALSTACK=true.");
}

Credentials CredentialsProvider::from_web_identity(const std::string& role, const std::string& token_file) {
  return flox::in_context("assuming role " + role + " with the web identity in " + token_file, [&] {
    // The token is read each time: the kubelet replaces the file before the token in it expires.
    std::string session = environment("AWS_ROLE_SESSION_NAME").value_or("ticket-processor");
    flox::HttpRequest request{.method = "POST", .url = options_.sts_endpoint + "/", .max_body = max_answer};
    request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
    request.body = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=" + flox::url_encode(role) +
                   "&RoleSessionName=" + flox::url_encode(session) +
                   "&WebIdentityToken=" + flox::url_encode(trimmed(flox::read_file(token_file)));
    request.timeout = 15s;
    request.connect_timeout = 5s;
    flox::HttpResponse response = http_.send(request);
    if (!response.ok()) {
      const std::string code = error_code(response), text = error_text(response);
      fail(response.status >= 500 ? ErrorKind::unavailable : ErrorKind::untrusted, "STS answered {}: {}",
           code.empty() ? std::to_string(response.status) : flox::printable(code, longest_error),
           text.empty() ? "no reason given" : flox::printable(text, longest_error));
    }
    const flox::XmlElement answer = flox::in_context("STS", [&] { return parse_xml_answer(response.body); });
    auto part = [&](const char* name) {
      const flox::XmlElement* element = answer.find(name);
      if (element == nullptr) fail(ErrorKind::unavailable, "the answer of STS has no {}", name);
      return element->text;
    };
    return Credentials{.access_key = part("AccessKeyId"),
                       .secret_key = flox::Secret(part("SecretAccessKey")),
                       .session_token = flox::Secret(part("SessionToken")),
                       .expires = parse_utc(part("Expiration"))};
  });
}

Credentials CredentialsProvider::from_container(const std::string& url) {
  return flox::in_context("getting credentials from the container endpoint " + flox::printable_url(url), [&] {
    flox::HttpRequest request{.url = url, .max_body = max_answer};
    request.timeout = 5s;
    request.connect_timeout = 2s;
    if (auto file = environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"))
      request.headers.emplace_back("Authorization", trimmed(flox::read_file(*file)));
    else if (auto token = environment("AWS_CONTAINER_AUTHORIZATION_TOKEN"))
      request.headers.emplace_back("Authorization", *token);
    flox::HttpResponse response = http_.send(request);
    if (!response.ok()) fail(ErrorKind::unavailable, "it answered with HTTP status {}", response.status);
    return parse_json_credentials(response.body);
  });
}

std::string CredentialsProvider::ask_instance(const std::string& endpoint, flox::HttpRequest request,
                                              const std::string& path) {
  // Where there is no such service, nothing answers at all.
  request.url = endpoint + path;
  request.connect_timeout = 1s;
  request.timeout = 2s;
  flox::HttpResponse response = http_.send(request);
  if (!response.ok()) fail(ErrorKind::unavailable, "{}: HTTP status {}", path, response.status);
  return response.body;
}

Credentials CredentialsProvider::from_instance() {
  std::string endpoint = environment_or({"AWS_EC2_METADATA_SERVICE_ENDPOINT"}, "http://169.254.169.254");
  while (endpoint.ends_with('/')) endpoint.pop_back();
  return flox::in_context("the EC2 instance's metadata service at " + flox::printable_url(endpoint), [&] {
    // Version 2: a token first, which no request that was only passed on can get.
    flox::HttpRequest request{.method = "PUT", .max_body = max_answer};
    request.headers = {{"X-aws-ec2-metadata-token-ttl-seconds", "300"}};
    std::string token = ask_instance(endpoint, request, "/latest/api/token");
    request = {.headers = {{"X-aws-ec2-metadata-token", token}}, .max_body = max_answer};
    const std::string roles = "/latest/meta-data/iam/security-credentials/";
    std::string role = ask_instance(endpoint, request, roles);
    role = trimmed(role.substr(0, role.find('\n')));
    if (role.empty()) fail(ErrorKind::unavailable, "the instance has no role");
    return parse_json_credentials(ask_instance(endpoint, request, roles + flox::url_encode(role)));
  });
}

}  // namespace ticket::aws
