// Times as signed metadata has them: UTC, to the second.
#pragma once  // Fuzzed by fuzz/signed_metadata.cc.

#include <chrono>
#include <string>
#include <string_view>

namespace flox::trust {

// Seconds, UTC.
using Time = std::chrono::sys_seconds;
Time now() noexcept;
// "2027-01-31T12:00:00Z", from the year 1970 to 9999. Throws Error(invalid_input) for every other form.
Time parse_time(std::string_view text);
std::string time_text(Time time);

}  // namespace flox::trust
