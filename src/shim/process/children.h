// Processes below the shim: the OCI runtime's commands, containers' processes that the kernel re-parents to
// us (we are their subreaper), and strays. One SIGCHLD handler reaps them all.
//
// An exit can come before we know that a pid is of interest: the runtime starts a container's process, that
// process ends, and only then do we read its pid from the pid file. So while a ReapingRecord lives, exits of
// unknown children are remembered, and `adopt` finds them.
#pragma once

#include <sys/types.h>

#include <boost/asio/signal_set.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/os/fd.h"
#include "shim/process/waiting.h"

namespace flox::shim {

using WallTime = std::chrono::system_clock::time_point;

// The end of a process, now or in future.
struct Exit {
  explicit Exit(const Executor& executor) : happened(executor) {}
  Event happened;
  std::function<void()>
      on_end;      // called once, when it is reaped, before those who wait go on; must not throw
  int status = 0;  // exit code, or 128 + signal
  WallTime at;
};

struct Spawn {
  std::vector<std::string> argv;             // argv[0] is looked up in PATH
  std::vector<std::string> env;              // empty: ours without NOTIFY_SOCKET
  std::string cwd;                           // empty: ours
  int in = -1, out = -1, err = -1;           // descriptors for 0, 1 and 2; -1: /dev/null
  std::vector<int> further;                  // become 3, 4, …
  bool die_with_us = true;                   // SIGKILL when the shim dies
  Milliseconds limit = Milliseconds::max();  // run and capture: SIGKILL if it takes longer
};

struct Captured {
  int status = 0;
  std::string out;  // at most 1 MiB
  std::string err;  // the same
};

class Children {
 public:
  explicit Children(const Executor& executor);

  // Throws Error(internal) `exec: "NAME": executable file not found in $PATH` and the like.
  pid_t spawn(const Spawn& what, std::shared_ptr<Exit>& exit);
  // Starts it and waits for its end: the exit status. Throws Error(unavailable) if it took longer than the
  // limit.
  asio::awaitable<int> run(Spawn what);
  // The same with both outputs captured and `input` on stdin.
  asio::awaitable<Captured> capture(Spawn what, std::string input = std::string());
  // The exit of a process that became our child or is about to be one, alive or already dead. Keep a
  // ReapingRecord since before it could start. `on_end` is called when it is reaped, which may be at once.
  std::shared_ptr<Exit> adopt(pid_t pid, std::function<void()> on_end = {});

  class ReapingRecord {
   public:
    explicit ReapingRecord(Children& children) : children_(children) { ++children_.recorders_; }
    ~ReapingRecord() {
      if (--children_.recorders_ == 0) children_.early_.clear();
    }
    ReapingRecord(const ReapingRecord&) = delete;
    ReapingRecord& operator=(const ReapingRecord&) = delete;

   private:
    Children& children_;
  };

 private:
  asio::awaitable<void> wait_for_end(std::shared_ptr<Exit> exit, pid_t pid, const std::string& name,
                                     Milliseconds limit);

  struct EarlyExit {
    int status;
    WallTime at;
  };
  void wait_for_signal();
  void reap();

  Executor executor_;
  asio::signal_set signals_;
  std::map<pid_t, std::shared_ptr<Exit>> known_;
  std::map<pid_t, EarlyExit> early_;
  int recorders_ = 0;
};

}  // namespace flox::shim
