// One command at a time changes an environment.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/os/directory.h"

namespace flox::env {

// An flock(2) on .flox/run/lock, held until the object goes or the process ends, however it ends. No link is
// followed on the way to the file. The file says who holds it, for those who wait.
class EnvironmentLock {
 public:
  // Called once if somebody else holds the lock, before waiting: "flox install (process 123)".
  using Waiting = std::function<void(const std::string& holder)>;

  // Waits for the lock. `files` is the environment's .flox; `doing` is the command, "flox install". Throws
  // Error if the file cannot be made or opened.
  EnvironmentLock(const Directory& files, std::string_view doing, const Waiting& waiting);
  EnvironmentLock(EnvironmentLock&&) noexcept = default;
  EnvironmentLock& operator=(EnvironmentLock&&) noexcept = default;
  ~EnvironmentLock();

 private:
  Fd fd_;
};

}  // namespace flox::env
