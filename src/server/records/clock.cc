#include "server/records/clock.h"

#include <ctime>

#include "base/rfc3339.h"

namespace flox::server {

int64_t unix_time() { return static_cast<int64_t>(std::time(nullptr)); }

std::string now_rfc3339() { return rfc3339(unix_time()); }

std::string recorded_time(int64_t seconds) { return seconds == 0 ? std::string() : rfc3339(seconds); }

}  // namespace flox::server
