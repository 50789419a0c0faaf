// A refusal with the time after which the same request may succeed.
#pragma once

#include <chrono>
#include <string>

#include "base/net/server/http_server.h"

namespace flox {

// Is answered with the field Retry-After (RFC 9110, section 10.2.3).
class RetryLater : public StatusError {
 public:
  RetryLater(int status, std::string message, std::string advice, std::chrono::seconds after)
      : StatusError(status, ErrorKind::unavailable, std::move(message), std::move(advice)), after_(after) {}
  std::chrono::seconds after() const noexcept { return after_; }

 private:
  std::chrono::seconds after_;
};

}  // namespace flox
