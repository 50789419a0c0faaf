// What daemons say: one line an event on stderr, "TIME LEVEL message". Command-line programs talk to people
// through stdout and print_error instead. What would begin another line or an escape sequence is neutralised
// (printable.h): events quote untrusted text.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace flox::log {

enum class Level { debug, info, warning, error };

inline constexpr const char* level_variable = "FLOX_LOG";
// Lines below this level are dropped (default info; $FLOX_LOG=debug|info|warning|error). Thread-safe.
void set_level(Level level);
void write(Level level, std::string_view message);

template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::warning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace flox::log
