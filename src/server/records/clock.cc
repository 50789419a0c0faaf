#include "server/records/clock.h"

#include <ctime>

namespace flox::server {

int64_t unix_time() { return static_cast<int64_t>(std::time(nullptr)); }

std::string now_rfc3339() { return rfc3339(unix_time()); }

std::string rfc3339(int64_t seconds) {
  if (seconds == 0) return {};
  const auto time = static_cast<std::time_t>(seconds);
  std::tm utc{};
  gmtime_r(&time, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

}  // namespace flox::server
