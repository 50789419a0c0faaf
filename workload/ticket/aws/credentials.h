// Where AWS credentials come from, in this order: the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
// AWS_SESSION_TOKEN); a web identity (AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE, as EKS sets them for a
// service account with an IAM role); the shared files (~/.aws/credentials, ~/.aws/config, $AWS_PROFILE); the
// container endpoint (AWS_CONTAINER_CREDENTIALS_FULL_URI or …_RELATIVE_URI, as ECS and EKS pod identity set
// them); the role of the EC2 instance, from its metadata service (IMDSv2, at
// AWS_EC2_METADATA_SERVICE_ENDPOINT if set; not asked if AWS_EC2_METADATA_DISABLED is "true").
#pragma once  // Not fuzzed: times are those of the service that hands out our own credentials.

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "ticket/aws/shared.h"

namespace ticket::aws {

// Hands out credentials and renews those that expire. Thread-safe.
class CredentialsProvider {
 public:
  struct Options {
    std::string sts_endpoint;        // "https://sts.us-east-1.amazonaws.com"
    bool fall_back_to_test = false;  // test/test when nothing else is found, as LocalStack expects
    std::function<Time()> now = [] { return std::chrono::system_clock::now(); };  // tests turn it
  };
  explicit CredentialsProvider(Options options);

  // Valid ones: those at hand unless they expire within five minutes. Throws flox::Error: not_found if no
  // source is configured, naming what was looked for, otherwise what went wrong at the source.
  Credentials get();
  // Forgets those at hand, for when the service said that they are no longer good.
  void discard();

 private:
  Credentials find();
  Credentials from_web_identity(const std::string& role, const std::string& token_file);
  Credentials from_container(const std::string& url);
  Credentials from_instance();
  std::string ask_instance(const std::string& endpoint, flox::HttpRequest request, const std::string& path);

  Options options_;
  std::mutex mutex_;
  std::optional<Credentials> current_;
  Time renew_at_;
  flox::HttpClient http_;
};

// "2026-11-23T12:00:00Z" as a time. Throws flox::Error(invalid_input).
Time parse_utc(const std::string& text);

}  // namespace ticket::aws
