#include "cli/first_process.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "base/command_line/program.h"
#include "base/error.h"
#include "base/os/process.h"

namespace flox::cli {
namespace {

// All but those that are about this process itself.
sigset_t passed_on() {
  sigset_t set;
  ::sigfillset(&set);
  for (const int signal :
       {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGTTIN, SIGTTOU, SIGTSTP})
    ::sigdelset(&set, signal);
  return set;
}

// The exit code of `child`, if it is among those that have ended.
std::optional<int> reap(pid_t child) {
  std::optional<int> code;
  int status = 0;
  for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;)
    if (pid == child) code = exit_code_of(status);
  return code;
}

int wait_and_pass_on(pid_t child, const sigset_t& set) {
  for (;;) {
    siginfo_t info{};
    const int signal = ::sigwaitinfo(&set, &info);
    if (signal < 0) continue;
    // Those of a terminal have reached the child already.
    if (signal != SIGCHLD && info.si_code != SI_KERNEL) ::kill(child, signal);
    if (signal == SIGCHLD)
      if (const auto code = reap(child)) return *code;
  }
}

}  // namespace

int run_as_first(const std::function<void()>& command, pid_t keeper) {
  const sigset_t set = passed_on();
  sigset_t before;
  ::sigprocmask(SIG_BLOCK, &set, &before);
  const pid_t child = ::fork();
  if (child < 0) fail_errno(errno, "starting the command");
  if (child == 0) {
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    ::_exit(run_program([&] {
      command();
      return 0;
    }));
  }
  const int code = wait_and_pass_on(child, set);
  ::kill(keeper, SIGTERM);
  // It is a child of the first process, as all are whose parents have ended.
  for (pid_t pid = 0; pid != keeper && (pid = ::waitpid(-1, nullptr, 0), pid > 0 || errno == EINTR);) {
  }
  return code;
}

}  // namespace flox::cli
