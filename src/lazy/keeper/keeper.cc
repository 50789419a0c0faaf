#include "lazy/keeper/keeper.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "base/os/file.h"
#include "base/os/process.h"
#include "lazy/fuse_mount.h"

namespace flox::lazy {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto quick = std::chrono::seconds(1);  // who has lived less than this died at once
constexpr std::chrono::milliseconds first_pause(10);

// Servers that die at once, one after the other, so many: then the mount ends. SIGKILL comes from outside, as
// from an administrator or because memory is short, and the next server may well live. What dies of anything
// else is likely to do so again.
constexpr unsigned most_killed = 2000, most_failed = 14;
constexpr std::chrono::milliseconds longest_pause_of_killed(250);

// How long to wait before the next server is started.
class Pauses {
 public:
  explicit Pauses(std::chrono::milliseconds longest) : longest_(longest) {}
  // Of a server that died at once. Nothing: there have been too many.
  std::optional<std::chrono::milliseconds> next(bool was_killed) {
    if (++(was_killed ? killed_ : failed_) >= (was_killed ? most_killed : most_failed)) return {};
    const auto pause = was_killed ? std::min(pause_, longest_pause_of_killed) : pause_;
    pause_ = std::min(2 * pause_, longest_);
    return pause;
  }
  // A server has lived.
  void reset() { *this = Pauses(longest_); }
  // How many died at once since then.
  unsigned deaths() const noexcept { return killed_ + failed_; }

 private:
  std::chrono::milliseconds longest_, pause_ = first_pause;
  unsigned killed_ = 0, failed_ = 0;
};

class Signals {
 public:
  Signals() {
    // Who ignores it, as whoever has started this may have, is not told of a server's end.
    std::signal(SIGCHLD, SIG_DFL);
    sigemptyset(&set_);
    for (const int signal : {SIGTERM, SIGINT, SIGCHLD}) sigaddset(&set_, signal);
    sigprocmask(SIG_BLOCK, &set_, &before_);
  }
  ~Signals() { sigprocmask(SIG_SETMASK, &before_, nullptr); }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // The next one, or 0 after that time.
  int next(std::optional<std::chrono::milliseconds> most = {}) const {
    for (;;) {
      const auto wait = most.value_or(std::chrono::hours(1));
      const timespec time{static_cast<time_t>(wait.count() / 1000), wait.count() % 1000 * 1'000'000};
      const int signal = sigtimedwait(&set_, nullptr, &time);
      if (signal > 0) return signal;
      if (most && errno == EAGAIN) return 0;
    }
  }
  // For a child.
  void restore() const { sigprocmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t set_{}, before_{};
};

class Server {
 public:
  Server(const Kept& kept, const Fd& device, bool takes_over, const Signals& signals) {
    std::vector<std::string> words = kept.server;
    const Fd inherited(fcntl(device.get(), F_DUPFD, 3));
    if (!inherited) fail_errno(errno, "copying the mount's descriptor");
    words.insert(words.end(), {"--device", std::to_string(inherited.get())});
    if (takes_over) words.push_back("--take-over");
    const std::vector<char*> argv = exec_pointers(words);
    const pid_t parent = getpid();
    pid_ = fork();
    if (pid_ < 0) fail_errno(errno, "starting {}", words[0]);
    if (pid_ > 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(exit_failure);
    signals.restore();
    execvp(argv[0], argv.data());
    const std::string message = fmt::format("starting {}: {}\n", words[0], std::strerror(errno));
    (void)!write(STDERR_FILENO, message.data(), message.size());
    _exit(127);
  }
  ~Server() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) continue;
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Its status of waitpid(2) once it has ended.
  std::optional<int> ended() {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) != pid_) return {};
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_ = -1;
};

// Removed whatever happens.
class Files {
 public:
  explicit Files(const std::string& directory) : directory_(directory) {}
  ~Files() {
    try {
      remove_tree(directory_);
    } catch (const std::exception& error) {
      log::warning("removing {}: {}", directory_, message_of(error));
    }
  }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;

 private:
  const std::string directory_;
};

// What the server died of; nothing if it was ended here.
std::optional<int> await_end(Server& server, const Signals& signals) {
  for (;;) {
    if (signals.next() != SIGCHLD) return {};
    if (const auto status = server.ended()) return status;
  }
}

std::string death(int status) {
  if (WIFSIGNALED(status)) return fmt::format("died of signal {}", WTERMSIG(status));
  return "gave up";
}

}  // namespace

int keep_mount(const Kept& kept) {
  const Files files(kept.files);
  const Signals signals;
  FuseMount mount(kept.directory);
  const Fd device = mount.take_device();
  Pauses pauses(kept.longest_pause);
  for (bool takes_over = false;; takes_over = true) {
    const auto begun = Clock::now();
    Server server(kept, device, takes_over, signals);
    const auto status = await_end(server, signals);
    if (!status) return 0;
    if (WIFEXITED(*status) && WEXITSTATUS(*status) != exit_again) return WEXITSTATUS(*status);
    if (!mount.can_resend()) {
      log::error("the server of {} {}, and another one cannot go on: that takes Linux 6.9", kept.directory,
                 death(*status));
      return exit_failure;
    }
    log::warning("the server of {} {}: starting another one", kept.directory, death(*status));
    if (Clock::now() - begun >= quick) {
      pauses.reset();
      continue;
    }
    const auto pause = pauses.next(WIFSIGNALED(*status) && WTERMSIG(*status) == SIGKILL);
    if (!pause) {
      log::error("{} servers of {} in succession died at once, the last of them {}: the mount ends",
                 pauses.deaths(), kept.directory, death(*status));
      return exit_failure;
    }
    if (const int signal = signals.next(*pause); signal != 0 && signal != SIGCHLD) return 0;
  }
}

}  // namespace flox::lazy
