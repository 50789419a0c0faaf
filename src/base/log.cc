#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdlib>

#include "base/log_fields.h"
#include "base/printable.h"
#include "base/rfc3339.h"

namespace flox::log {
namespace {

constexpr size_t max_message = 16 * 1024;  // characters

spdlog::level::level_enum spdlog_level(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

bool wants_json() {
  static const bool wanted = [] {
    const char* format = std::getenv(format_variable);
    return format != nullptr && std::string_view(format) == "json";
  }();
  return wanted;
}

spdlog::logger& logger() {
  static auto instance = [] {
    auto made = std::make_shared<spdlog::logger>("flox", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern(wants_json() ? "%v" : "%Y-%m-%dT%H:%M:%S.%eZ %v", spdlog::pattern_time_type::utc);
    made->flush_on(spdlog::level::trace);
    if (const char* wanted = std::getenv(level_variable)) made->set_level(spdlog::level::from_str(wanted));
    return made;
  }();
  return *instance;
}

}  // namespace

void set_level(Level level) { logger().set_level(spdlog_level(level)); }
void write(Level level, std::string_view message) {
  const spdlog::level::level_enum at = spdlog_level(level);
  if (!logger().should_log(at)) return;
  const auto name = spdlog::level::to_string_view(at);
  const std::string_view level_name(name.data(), name.size());
  const std::string text = printable(message, max_message);
  if (!wants_json()) return logger().log(at, text_line(level_name, Fields::current(), text));
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  logger().log(at, json_line(rfc3339(now), level_name, Fields::current(), text));
}

}  // namespace flox::log
