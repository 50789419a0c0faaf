// For tests: environment variables that are as they were before when the object goes.
#pragma once

#include <cstdlib>
#include <map>
#include <optional>
#include <string>

namespace ticket {

class ScopedEnvironment {
 public:
  // Starts without any variable that the workload reads, whatever the caller's shell has.
  ScopedEnvironment() {
    for (const char* name : {"AWS_ACCESS_KEY_ID",
                             "AWS_SECRET_ACCESS_KEY",
                             "AWS_SESSION_TOKEN",
                             "AWS_ROLE_ARN",
                             "AWS_WEB_IDENTITY_TOKEN_FILE",
                             "AWS_PROFILE",
                             "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                             "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                             "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                             "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                             "AWS_ENDPOINT_URL",
                             "AWS_ENDPOINT_URL_S3",
                             "AWS_REGION",
                             "AWS_DEFAULT_REGION",
                             "AWS_MAX_ATTEMPTS",
                             "USE_LOCALSTACK",
                             "SQS_QUEUE_NAME",
                             "SQS_POLL_INTERVAL",
                             "SQS_MAX_MESSAGES",
                             "SQS_VISIBILITY_TIMEOUT",
                             "S3_RAW_BUCKET",
                             "S3_BUCKET_RAW",
                             "S3_ENRICHED_BUCKET",
                             "S3_BUCKET_ENRICHED",
                             "DYNAMODB_TABLE_NAME",
                             "DYNAMODB_TABLE",
                             "METRICS_PORT",
                             "MODEL_CACHE_DIR",
                             "MAX_SUMMARY_LENGTH",
                             "EMBEDDING_MODEL",
                             "CLASSIFIER_MODEL",
                             "SUMMARIZER_MODEL",
                             "TICKET_ALLOW_MISSING_MODELS",
                             "TICKET_BACKEND",
                             "TICKET_PRECISION",
                             "TICKET_ENCODER_PRECISION",
                             "AWS_EC2_METADATA_SERVICE_ENDPOINT"})
      set(name, "");
    set("AWS_EC2_METADATA_DISABLED", "true");
    set("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent");
    set("AWS_CONFIG_FILE", "/nonexistent");
  }
  ~ScopedEnvironment() {
    for (const auto& [name, value] : before_) {
      if (value) {
        setenv(name.c_str(), value->c_str(), 1);
      } else {
        unsetenv(name.c_str());
      }
    }
  }
  ScopedEnvironment(const ScopedEnvironment&) = delete;

  void set(const std::string& name, const std::string& value) {
    const char* old = std::getenv(name.c_str());
    before_.try_emplace(name, old == nullptr ? std::nullopt : std::optional<std::string>(old));
    setenv(name.c_str(), value.c_str(), 1);
  }

 private:
  std::map<std::string, std::optional<std::string>> before_;
};

}  // namespace ticket
