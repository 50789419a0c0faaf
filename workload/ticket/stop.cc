#include "ticket/stop.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/error.h"

namespace ticket {

void Stop::request() {
  std::lock_guard lock(mutex_);
  auto now = std::chrono::steady_clock::now();
  deadline_ = requested_ ? now : now + grace_;
  if (!requested_) first_ = now;
  requested_ = true;
  changed_.notify_all();
}

bool Stop::requested() const {
  std::lock_guard lock(mutex_);
  return requested_;
}

bool Stop::requested_since(std::chrono::milliseconds time) const {
  std::lock_guard lock(mutex_);
  return requested_ && std::chrono::steady_clock::now() - first_ >= time;
}

bool Stop::grace_is_over() const {
  std::lock_guard lock(mutex_);
  return requested_ && std::chrono::steady_clock::now() >= deadline_;
}

bool Stop::sleep(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, time, [this] { return requested_; });
}

StopOnSignals::StopOnSignals(Stop& stop) : wake_(flox::make_pipe()) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_.reset(signalfd(-1, &set, SFD_CLOEXEC));
  if (!signals_) flox::fail_errno(errno, "watching for SIGTERM");
  // Exec probes leave orphans to PID 1; ignoring SIGCHLD makes the kernel reap them.
  if (getpid() == 1) std::signal(SIGCHLD, SIG_IGN);
  thread_ = std::thread([this, &stop] { watch(stop); });
}

StopOnSignals::~StopOnSignals() {
  wake_.write_end.reset();
  thread_.join();
}

void StopOnSignals::watch(Stop& stop) {
  for (;;) {
    pollfd fds[] = {{.fd = signals_.get(), .events = POLLIN, .revents = 0},
                    {.fd = wake_.read_end.get(), .events = POLLIN, .revents = 0}};
    if (poll(fds, 2, -1) < 0 && errno != EINTR) return;
    if (fds[1].revents != 0) return;
    signalfd_siginfo info;
    if (fds[0].revents != 0 && read(signals_.get(), &info, sizeof info) == sizeof info) stop.request();
  }
}

}  // namespace ticket
