// The worker's log: one JSON object a line on stdout, which is what the guide's Fluent Bit set-up collects.
// {"time":"…Z","level":"info","message":"ticket enriched","ticket_id":"DEMO-1",…}
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

namespace ticket {

enum class Level { debug, info, warning, error };

// Lines below this level are dropped (default info; $LOG_LEVEL=debug|info|warning|error).
void set_log_level(Level level);
// Where the lines go from now on: a descriptor that stays open. Default: stdout.
void set_log_output(int fd);
// Writes one line at once; `fields` is an object whose members follow the message. Thread-safe.
void log_event(Level level, std::string_view message);
void log_event(Level level, std::string_view message, const nlohmann::ordered_json& fields);

}  // namespace ticket
