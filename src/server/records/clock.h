// Times as the catalog records them.
#pragma once

#include <cstdint>
#include <string>

namespace flox::server {

// Seconds since 1970, UTC.
int64_t unix_time();
// "2026-11-29T07:42:41Z" (RFC 3339). Of now, or of the seconds since 1970; empty for 0.
std::string now_rfc3339();
std::string rfc3339(int64_t seconds);

}  // namespace flox::server
