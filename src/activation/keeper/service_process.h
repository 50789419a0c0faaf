// One service of an environment: its process, its end and its log.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "activation/keeper/messages.h"
#include "base/os/fd.h"
#include "base/os/rotating_file.h"

namespace flox::activation {

namespace fs = std::filesystem;

using Clock = std::chrono::steady_clock;

// How long a service has to end after SIGTERM or its shutdown command, before SIGKILL: as process-compose,
// which Flox uses.
inline constexpr std::chrono::seconds shutdown_limit{10};

// A process with its output, as a service or a hook is: started in a session of its own, killed with this
// process. Throws Error if it cannot be started. `output` gets both of its outputs.
pid_t start_shell(const std::string& command, const env::Variables& environment, const std::string& cwd,
                  int output);

// Lines from a pipe into a log whose size is bounded: 4 MiB and as many in the file before.
class LoggedOutput {
 public:
  // The log is NAME.log in the directory. Throws Error.
  LoggedOutput(const std::filesystem::path& directory, const std::string& name);

  int write_end() const noexcept { return pipe_.write_end.get(); }
  int read_end() const noexcept { return pipe_.read_end.get(); }
  // Reads what is there, without waiting. An error of the log is told to nobody: the service goes on.
  void drain();
  // A line of ours.
  void say(std::string_view line);

 private:
  void add(std::string_view line);

  Pipe pipe_;
  RotatingFile log_;
  std::string partial_;
};

class ServiceProcess {
 public:
  ServiceProcess(std::string name, env::Service service, const std::filesystem::path& log_directory);

  const std::string& name() const noexcept { return name_; }
  ServiceStatus status() const;
  bool is_running() const noexcept { return state_ == State::running || state_ == State::launched; }
  bool is_stopped() const noexcept { return !is_running() && state_ != State::stopping; }
  LoggedOutput& output() noexcept { return output_; }

  // Throws Error.
  void start(const env::Variables& environment, const std::string& cwd);
  // Begins to stop it: by its shutdown command, or by SIGTERM to its process group.
  void stop();
  // To be called when deadline() has come.
  void escalate();
  std::optional<Clock::time_point> deadline() const noexcept { return deadline_; }
  // A child has ended. Whether it was one of this service.
  bool ended(pid_t pid, int exit_code);

 private:
  enum class State { stopped, running, launched, stopping, completed };
  void finish_stop();

  std::string name_;
  env::Service service_;
  LoggedOutput output_;
  State state_ = State::stopped;
  pid_t pid_ = -1;           // of the command, while it runs
  pid_t shutdown_pid_ = -1;  // of the shutdown command, while it runs
  std::optional<int> exit_code_;
  env::Variables environment_;
  std::string cwd_;
  std::optional<Clock::time_point> deadline_;
};

}  // namespace flox::activation
