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
  bool is_stopped() const noexcept { return !is_running() && !is_waiting() && !is_stopping(); }
  bool is_stopping() const noexcept { return state_ == State::stopping; }
  bool is_waiting() const noexcept { return state_ == State::waiting; }
  // Whether those that depend on it may start; nothing if it will not come so far. What nobody has started is
  // not waited for.
  std::optional<bool> has_come_to(env::StartCondition condition) const noexcept;
  const env::Service& service() const noexcept { return service_; }
  LoggedOutput& output() noexcept { return output_; }

  // It is to start when what it depends on has come so far.
  void wait() noexcept { state_ = State::waiting; }
  // It will not start, for this reason.
  void give_up(std::string_view why);
  // Throws Error.
  void start(const env::Variables& environment, const std::string& cwd);
  // Begins to stop it: by its shutdown command, or by a signal to its process group.
  void stop();
  // To be called when deadline() has come.
  void escalate();
  std::optional<Clock::time_point> deadline() const noexcept { return deadline_; }
  // A child has ended. Whether it was one of this service.
  bool ended(pid_t pid, int exit_code);

 private:
  enum class State { stopped, waiting, skipped, running, launched, stopping, completed };
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
