// Signed requests to AWS services or anything that speaks like them (LocalStack, moto, MinIO), with retries.
//
// What a service refuses becomes a flox::Error whose message holds the service's own code and text, and whose
// kind says what it means for the caller: unavailable (worth trying again: no connection, time-out,
// throttling, 5xx), not_found (bucket, queue, table or object), untrusted (credentials or permissions),
// conflict (a condition of the request does not hold), invalid_input (the service does not accept the
// request).
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "ticket/aws/credentials.h"

namespace ticket::aws {

struct Config {
  std::string region;       // AWS_REGION, AWS_DEFAULT_REGION, the profile's, us-east-1
  std::string endpoint;     // AWS_ENDPOINT_URL without a final slash; empty: AWS itself
  bool localstack = false;  // USE_LOCALSTACK
  int max_attempts = 4;     // AWS_MAX_ATTEMPTS, the first one included
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds timeout{30'000};  // for one attempt
  // Reads the environment and the shared files. Throws flox::Error(invalid_input).
  static Config from_environment();
  // AWS_ENDPOINT_URL_<SERVICE>, the common endpoint, or AWS's address of the service in the region.
  std::string endpoint_of(const std::string& service) const;
  // Whether an endpoint is configured for the service: S3 is then addressed path-style.
  bool has_own_endpoint(const std::string& service) const;
};

// How one kind of call waits: `cancelled` aborts a transfer or a pause between attempts within a second.
using CancelCheck = std::function<bool()>;

// Thread-safe; copies share connections and credentials.
class Client {
 public:
  explicit Client(Config config);
  // The same client with calls that `cancelled` can abort.
  Client with_cancel(CancelCheck cancelled) const;

  const Config& config() const noexcept;
  // Sends `request`, signed for `service`, until it is answered with 2xx. `what` names the call in errors.
  // Throws. `extra_time` is added to the time-out of an attempt (long polls).
  flox::HttpResponse call(const std::string& service, const std::string& what,
                          const flox::HttpRequest& request, std::chrono::milliseconds extra_time = {}) const;
  // The same for the JSON 1.0 protocol: POSTs `body` to the service's root for "PREFIX.Operation".
  std::string call_json(const std::string& service, const std::string& target, const std::string& body,
                        std::chrono::milliseconds extra_time = {}) const;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
  CancelCheck cancelled_;
};

}  // namespace ticket::aws
