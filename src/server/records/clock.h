// Times as the catalog records them.
#pragma once

#include <cstdint>
#include <string>

namespace flox::server {

// Seconds since 1970, UTC.
int64_t unix_time();
// "2026-11-29T07:42:41Z" (base/rfc3339.h).
std::string now_rfc3339();
// Of the seconds since 1970 of a record; empty for 0, which stands for never.
std::string recorded_time(int64_t seconds);

}  // namespace flox::server
