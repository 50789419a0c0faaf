#include "package/build/build_command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/os/fd.h"
#include "package/build/removed_afterwards.h"

namespace flox::package {
namespace {

[[noreturn]] void become_program(const std::vector<std::string>& argv, const CommandSetting& setting) {
  if (::chdir(setting.directory.c_str()) != 0) fail_errno(errno, "entering {}", setting.directory.string());
  std::vector<std::string> variables, arguments = argv;
  for (const auto& [name, value] : setting.environment) variables.push_back(name + "=" + value);
  std::vector<char*> pointers, argument_pointers;
  for (auto& variable : variables) pointers.push_back(variable.data());
  for (auto& argument : arguments) argument_pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  argument_pointers.push_back(nullptr);
  auto path = setting.environment.find("PATH");
  // execvpe searches the PATH of the caller.
  ::setenv("PATH", path == setting.environment.end() ? "/usr/bin:/bin" : path->second.c_str(), 1);
  ::execvpe(argument_pointers.front(), argument_pointers.data(), pointers.data());
  fail_errno(errno, "starting {}", argv.front());
}

// This process's children, those of processes that ended among them (PR_SET_CHILD_SUBREAPER).
std::vector<pid_t> children() {
  std::ifstream list("/proc/thread-self/children");
  std::vector<pid_t> result;
  for (pid_t child; list >> child;) result.push_back(child);
  return result;
}

void end_all(pid_t worker) {
  ::kill(worker, SIGKILL);
  for (;;) {
    for (const pid_t child : children()) ::kill(child, SIGKILL);
    if (::waitpid(-1, nullptr, 0) < 0 && errno == ECHILD) return;
  }
}

// The command's exit code; ends all of it if `starter` closes, which it does when the process that started it
// has died.
int watch(pid_t worker, int starter) {
  const Fd ended(static_cast<int>(::syscall(SYS_pidfd_open, worker, 0)));
  if (!ended) fail_errno(errno, "watching the command");
  std::array<pollfd, 2> events{
      {{.fd = ended.get(), .events = POLLIN, .revents = 0}, {.fd = starter, .events = POLLIN, .revents = 0}}};
  while (events[0].revents == 0 && events[1].revents == 0) ::poll(events.data(), events.size(), -1);
  int status = 0;
  const bool done = ::waitpid(worker, &status, WNOHANG) == worker;
  end_all(worker);
  if (!done) return 128 + SIGKILL;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// Tells of the exception and ends: what a fresh process does with it.
template <typename Body>
[[noreturn]] void run_or_tell(int trouble, Body&& body) {
  int code = 127;
  try {
    code = body();
  } catch (const std::exception& exception) {
    const Error error = to_error(exception);
    const std::string text = fmt::format("{}{}\n{}", static_cast<char>('0' + static_cast<int>(error.kind())),
                                         error.advice(), error.what());
    [[maybe_unused]] ssize_t ignored = ::write(trouble, text.data(), text.size());
  }
  ::_exit(code);
}

[[noreturn]] void throw_told(const std::string& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  throw Error(static_cast<ErrorKind>(text.front() - '0'), text.substr(std::min(end + 1, text.size())),
              text.substr(1, end - 1));
}

// Waits for the watcher's end, and gives how it ended.
int wait_for(pid_t watcher) {
  int status = 0;
  while (::waitpid(watcher, &status, 0) < 0)
    if (errno != EINTR) fail_errno(errno, "waiting for a process");
  return status;
}

}  // namespace

int run_apart(const std::function<int()>& body, const std::function<void(pid_t)>& meanwhile) {
  Pipe trouble = make_pipe();  // carries what a process that fails says
  Pipe alive = make_pipe();    // closes when this process ends
  const pid_t watcher = ::fork();
  if (watcher < 0) fail_errno(errno, "starting a process");
  if (watcher == 0)
    run_or_tell(trouble.write_end.get(), [&] {
      alive.write_end.reset();
      leave_the_terminal();
      ::prctl(PR_SET_CHILD_SUBREAPER, 1);
      const pid_t worker = ::fork();
      if (worker < 0) fail_errno(errno, "starting a process");
      if (worker == 0) run_or_tell(trouble.write_end.get(), body);
      trouble.write_end.reset();
      return watch(worker, alive.read_end.get());
    });
  trouble.write_end.reset();
  alive.read_end.reset();
  try {
    if (meanwhile) meanwhile(watcher);
  } catch (...) {
    alive.write_end.reset();
    wait_for(watcher);
    throw;
  }
  const std::string told = read_all(trouble.read_end.get());
  const int status = wait_for(watcher);
  if (!told.empty()) throw_told(told);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int run_build_command(const std::string& command, const CommandSetting& setting, int output) {
  // A command may set what it likes; by default its first failing step fails it.
  const std::vector<std::string> argv{"bash", "-e", "-c", command};
  const auto become = [&] {
    if (setting.watch != nullptr) try {
        setting.watch->begin();
      } catch (const Error&) {
        if (setting.needs_watch) throw;
      }
    become_program(argv, setting);
  };
  const auto body = [&] {
    if (::dup2(output, 1) < 0 || ::dup2(output, 2) < 0) fail_errno(errno, "redirecting");
    if (setting.root) return run_in_root(*setting.root, become);
    if (!setting.store_root.empty()) env::enter_store(setting.store_root);
    become();
    return 127;
  };
  return in_context("starting the command", [&] {
    if (setting.watch == nullptr) return run_apart(body);
    return run_apart(body, [&](pid_t process) { setting.watch->attend(process); });
  });
}

}  // namespace flox::package
