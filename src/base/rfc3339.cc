#include "base/rfc3339.h"

#include <fmt/chrono.h>

#include <ctime>

namespace flox {
namespace {

// Without the zone.
std::string date_and_time(int64_t seconds) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}", fmt::gmtime(static_cast<std::time_t>(seconds)));
}

}  // namespace

std::string rfc3339(int64_t seconds) { return date_and_time(seconds) + "Z"; }

std::string rfc3339(std::chrono::sys_time<std::chrono::milliseconds> time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return fmt::format("{}.{:03}Z", date_and_time(seconds.time_since_epoch().count()),
                     (time - seconds).count());
}

}  // namespace flox
