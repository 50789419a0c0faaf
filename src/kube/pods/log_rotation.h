// Keeps log files small. A log that is full goes on under its name with the time of its end behind it, as the
// kubelet calls it: 0.log, 0.log.20261129-120000.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace flox::kube {

// The kubelet's defaults (containerLogMaxSize, containerLogMaxFiles).
struct LogLimits {
  uint64_t bytes = 10 << 20;  // of one file, before it is looked at again
  unsigned files = 5;         // in all, with the one that is written
};

// If the container's log `name` in the directory is full: moves it away, has the runtime open it anew with
// `reopen`, and removes the oldest ones over the limit. Nothing if there is no such log. Throws Error; if
// `reopen` fails, the log has its name again.
void rotate_log(const std::filesystem::path& directory, const std::string& name, const LogLimits& limits,
                std::chrono::system_clock::time_point now, const std::function<void()>& reopen);

// Removes the logs of a container's attempts before the last two, "0.log", say, when attempt 2 begins: `flox
// kube logs` shows the newest, and whoever looks into a crash wants the one before. Throws Error.
void remove_old_logs(const std::filesystem::path& directory, unsigned attempt);

// The same for the log that this process writes to as standard error: if it is this file and full, it becomes
// FILE.1, and standard output and error go to a new one. Throws Error.
void rotate_own_log(const std::filesystem::path& file, uint64_t bytes);

}  // namespace flox::kube
