#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>

#include "base/printable.h"

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

spdlog::logger& logger() {
  static auto instance = [] {
    auto made = std::make_shared<spdlog::logger>("flox", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
    made->flush_on(spdlog::level::trace);
    if (const char* wanted = std::getenv(level_variable)) made->set_level(spdlog::level::from_str(wanted));
    return made;
  }();
  return *instance;
}

}  // namespace

void set_level(Level level) { logger().set_level(spdlog_level(level)); }
void write(Level level, std::string_view message) {
  if (!logger().should_log(spdlog_level(level))) return;
  logger().log(spdlog_level(level), printable(message, max_message));
}

}  // namespace flox::log
