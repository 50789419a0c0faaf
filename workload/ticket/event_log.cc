#include "ticket/event_log.h"

#include <fmt/chrono.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/letter_case.h"
#include "base/os/fd.h"
#include "ticket/environment.h"

namespace ticket {
namespace {

constexpr const char* names[] = {"debug", "info", "warning", "error"};

std::atomic<Level>& threshold() {
  static std::atomic<Level> level = [] {
    std::string wanted = environment("LOG_LEVEL").value_or("info");
    for (size_t i = 0; i < std::size(names); ++i)
      if (flox::is_same_in_any_case(wanted, names[i])) return static_cast<Level>(i);
    return Level::info;
  }();
  return level;
}

std::atomic<int> output{STDOUT_FILENO};

}  // namespace

void set_log_output(int fd) { output = fd; }
void set_log_level(Level level) { threshold() = level; }

void log_event(Level level, std::string_view message) {
  log_event(level, message, nlohmann::ordered_json::object());
}

void log_event(Level level, std::string_view message, const nlohmann::ordered_json& fields) {
  if (level < threshold().load()) return;
  using namespace std::chrono;
  auto now = system_clock::now();
  auto milliseconds = duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  nlohmann::ordered_json line = {
      {"time",
       fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(system_clock::to_time_t(now)), milliseconds)},
      {"level", names[static_cast<int>(level)]},
      {"message", message}};
  line.update(fields);
  std::string text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  try {
    flox::write_all(output, text);
  } catch (const flox::Error&) {
    // Nobody reads the log any more; the tickets matter more.
  }
}

}  // namespace ticket
