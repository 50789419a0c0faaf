// How many requests one caller may make (docs/reference/catalog-api.md, "Limits"): of a token, or of an
// address without one. Each has an allowance that refills evenly, so that a burst after a pause is fine.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace flox::server {

struct RateLimit {
  uint64_t per_second = 0;         // requests; 0: any number
  std::chrono::seconds burst{10};  // after so long without a request, so many seconds' requests at once
};

// Thread-safe; never blocks for long. Memory is bounded: callers over `most_callers` that all make requests
// share one allowance, so that inventing addresses is of no use.
class RateLimiter {
 public:
  using Clock = std::chrono::steady_clock;
  explicit RateLimiter(RateLimit limit, size_t most_callers = 65'536,
                       std::function<Clock::time_point()> now = Clock::now)
      : limit_(limit), most_callers_(most_callers), now_(std::move(now)) {}

  // Takes one request from the caller's allowance. If it has none left: when it will have, a second at least.
  std::optional<std::chrono::seconds> take(const std::string& caller);
  size_t callers() const;

 private:
  // Forgets those whose allowance is whole again: they are as strangers are.
  void forget_idle(Clock::time_point now);

  const RateLimit limit_;
  const size_t most_callers_;
  const std::function<Clock::time_point()> now_;
  mutable std::mutex mutex_;
  // When the allowance is whole again: the theoretical arrival time of the generic cell rate algorithm (ITU-T
  // I.371).
  std::unordered_map<std::string, Clock::time_point> whole_at_;
  Clock::time_point others_whole_at_{};
  Clock::time_point forgot_{};
};

// Whose allowance an address uses: the IPv4 address, or the IPv6 /64, which one customer has.
std::string limited_address(std::string_view address);

}  // namespace flox::server
