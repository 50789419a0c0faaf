#include "server/api/rate_limits.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "base/data/bytes.h"

namespace flox::server {

std::optional<std::chrono::seconds> RateLimiter::take(const std::string& caller) {
  if (limit_.per_second == 0) return std::nullopt;
  const auto step =
      std::chrono::nanoseconds(std::chrono::seconds(1)) / static_cast<int64_t>(limit_.per_second);
  const auto now = now_();
  const std::scoped_lock lock(mutex_);
  auto found = whole_at_.find(caller);
  if (found == whole_at_.end() && whole_at_.size() >= most_callers_) forget_idle(now);
  if (found == whole_at_.end() && whole_at_.size() < most_callers_)
    found = whole_at_.emplace(caller, now).first;
  auto& whole_at = found == whole_at_.end() ? others_whole_at_ : found->second;
  const auto next = std::max(whole_at, now) + step;
  if (const auto over = next - now - limit_.burst; over.count() > 0)
    return std::max(std::chrono::ceil<std::chrono::seconds>(over), std::chrono::seconds(1));
  whole_at = next;
  return std::nullopt;
}

// Looking at all costs milliseconds, so it is seldom done.
void RateLimiter::forget_idle(Clock::time_point now) {
  if (forgot_ != Clock::time_point() && now - forgot_ < std::chrono::seconds(1)) return;
  forgot_ = now;
  std::erase_if(whole_at_, [&](const auto& one) { return one.second <= now; });
}

size_t RateLimiter::callers() const {
  const std::scoped_lock lock(mutex_);
  return whole_at_.size();
}

std::string limited_address(std::string_view address) {
  const std::string text(address);
  std::array<char, 16> bytes{};
  if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1) return text;
  constexpr std::string_view mapped("\0\0\0\0\0\0\0\0\0\0\xFF\xFF", 12);
  if (std::string_view(bytes.data(), mapped.size()) != mapped) return to_hex({bytes.data(), 8}) + "/64";
  std::array<char, INET_ADDRSTRLEN> v4{};
  return ::inet_ntop(AF_INET, bytes.data() + mapped.size(), v4.data(), v4.size()) == nullptr ? text
                                                                                             : v4.data();
}

}  // namespace flox::server
