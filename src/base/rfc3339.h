// Times as machines exchange them: RFC 3339, in UTC.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace flox {

// "2026-11-29T07:42:41Z", of seconds since 1970.
std::string rfc3339(int64_t seconds);
// "2026-11-29T07:42:41.007Z"
std::string rfc3339(std::chrono::sys_time<std::chrono::milliseconds> time);

}  // namespace flox
