#include "activation/keeper/service_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "activation/user_shell.h"
#include "base/error.h"
#include "base/os/process.h"
#include "base/printable.h"

namespace flox::activation {
namespace {

constexpr uint64_t max_log = 4 << 20;      // bytes
constexpr size_t max_log_line = 64 << 10;  // longer ones are broken
constexpr unsigned older_logs = 1;
constexpr size_t most_at_once = 1 << 20;  // bytes of one service before the others have their turn

// In the child: nothing is allocated.
[[noreturn]] void become_shell(const char* program, char* const* argv, char* const* environment,
                               const char* cwd, int input, int output, pid_t parent) {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int ignored : {SIGPIPE, SIGHUP}) ::signal(ignored, SIG_DFL);
  ::setsid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  if (::dup2(input, 0) >= 0 && ::dup2(output, 1) >= 0 && ::dup2(output, 2) >= 0) {
    if (*cwd == '\0' || ::chdir(cwd) != 0) (void)!::chdir("/");
    ::execve(program, argv, environment);
  }
  ::_exit(127);
}

}  // namespace

pid_t start_shell(const std::string& command, const env::Variables& environment, const std::string& cwd,
                  int output) {
  const fs::path shell = bash_or_sh(environment).program;
  std::vector<std::string> words = {shell.filename(), "-c", command}, entries = exec_entries(environment);
  const auto argv = exec_pointers(words), envp = exec_pointers(entries);
  const Fd null = open_file("/dev/null", O_RDONLY);
  const pid_t self = ::getpid(), pid = ::fork();
  if (pid < 0) fail_errno(errno, "starting {}", shell.string());
  if (pid == 0) become_shell(shell.c_str(), argv.data(), envp.data(), cwd.c_str(), null.get(), output, self);
  return pid;
}

LoggedOutput::LoggedOutput(const fs::path& directory, const std::string& name)
    : pipe_(make_pipe()), log_(directory / (name + ".log"), max_log, older_logs) {
  ::fcntl(pipe_.read_end.get(), F_SETFL, O_NONBLOCK);
}

void LoggedOutput::add(std::string_view line) {
  try {
    log_.add(line);
  } catch (const Error&) {  // a full disk: the lines are lost, and the service is not
  }
}

void LoggedOutput::say(std::string_view line) { add(line); }

void LoggedOutput::drain() {
  std::array<char, 64 << 10> buffer;
  for (size_t total = 0; total < most_at_once;) {
    const ssize_t count = ::read(pipe_.read_end.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    total += static_cast<size_t>(count);
    partial_.append(buffer.data(), static_cast<size_t>(count));
    // All whole lines at once: each write looks whether the log is still the one with this name.
    if (const size_t end = partial_.rfind('\n'); end != std::string::npos) {
      add(std::string_view(partial_).substr(0, end));
      partial_.erase(0, end + 1);
    }
    if (partial_.size() > max_log_line) add(std::exchange(partial_, {}));
  }
}

ServiceProcess::ServiceProcess(std::string name, env::Service service, const fs::path& log_directory)
    : name_(std::move(name)), service_(std::move(service)), output_(log_directory, name_) {}

ServiceStatus ServiceProcess::status() const {
  ServiceStatus status{.name = name_, .status = "Stopped", .pid = {}, .exit_code = {}};
  if (state_ == State::waiting) status.status = "Pending";
  if (state_ == State::skipped) status.status = "Skipped";
  if (state_ == State::running) status.status = "Running";
  if (state_ == State::launched) status.status = "Launched";
  if (state_ == State::stopping) status.status = "Stopping";
  if (state_ == State::completed) status.status = "Completed";
  if (pid_ > 0) status.pid = pid_;
  if (state_ == State::completed) status.exit_code = exit_code_;
  return status;
}

std::optional<bool> ServiceProcess::has_come_to(env::StartCondition condition) const noexcept {
  if (state_ == State::waiting) return false;
  if (state_ == State::skipped || state_ == State::stopping) return std::nullopt;
  if (state_ == State::stopped || condition == env::StartCondition::process_started) return true;
  if (state_ == State::running) return false;
  const bool succeeded = state_ == State::launched || exit_code_ == 0;
  return condition == env::StartCondition::process_completed || succeeded ? std::optional(true)
                                                                          : std::nullopt;
}

void ServiceProcess::give_up(std::string_view why) {
  state_ = State::skipped;
  output_.say(fmt::format("flox: it is not started: {}", why));
}

void ServiceProcess::start(const env::Variables& environment, const std::string& cwd) {
  environment_ = environment;
  for (const auto& [name, value] : service_.vars) environment_[name] = value;
  cwd_ = cwd;
  pid_ = start_shell(service_.command, environment_, cwd_, output_.write_end());
  state_ = State::running;
  exit_code_.reset();
}

void ServiceProcess::stop() {
  if (is_waiting()) state_ = State::stopped;
  if (!is_running()) return;
  state_ = State::stopping;
  deadline_ = Clock::now() + service_.shutdown_limit;
  if (service_.shutdown_command.empty()) {
    if (pid_ > 0) {
      ::kill(-pid_, service_.shutdown_signal);
      return;
    }
    output_.say("flox: it has no shutdown.command: what it has started ends with the last activation");
    finish_stop();
    return;
  }
  try {
    shutdown_pid_ = start_shell(service_.shutdown_command, environment_, cwd_, output_.write_end());
  } catch (const Error& error) {
    output_.say(fmt::format("flox: the shutdown command cannot be started: {}", printable(error.what())));
    escalate();
  }
}

void ServiceProcess::escalate() {
  deadline_.reset();
  for (const pid_t pid : {shutdown_pid_, pid_})
    if (pid > 0) ::kill(-pid, SIGKILL);
  if (pid_ <= 0 && shutdown_pid_ <= 0) finish_stop();
}

void ServiceProcess::finish_stop() {
  state_ = State::stopped;
  deadline_.reset();
}

bool ServiceProcess::ended(pid_t pid, int exit_code) {
  if (pid <= 0 || (pid != pid_ && pid != shutdown_pid_)) return false;
  output_.drain();
  if (pid == shutdown_pid_) {
    shutdown_pid_ = -1;
    if (exit_code != 0)
      output_.say(fmt::format("flox: the shutdown command ended with exit code {}", exit_code));
  } else {
    pid_ = -1;
    exit_code_ = exit_code;
    if (state_ == State::running) {
      const bool launched = service_.is_daemon && exit_code == 0;
      state_ = launched ? State::launched : State::completed;
    }
    // What it has left in its process group; a daemon has left it.
    if (!service_.is_daemon && state_ == State::stopping) ::kill(-pid, SIGKILL);
  }
  if (state_ == State::stopping && pid_ <= 0 && shutdown_pid_ <= 0) finish_stop();
  return true;
}

}  // namespace flox::activation
