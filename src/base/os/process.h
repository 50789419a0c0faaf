// Child processes: run one to its end, or spawn one and own it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/os/fd.h"

namespace flox {

// Whether a variable of ours holds a secret (FLOX_CATALOG_TOKEN): programs that we start do not get it.
bool is_secret_variable(std::string_view name) noexcept;
// This process's environment without those.
std::map<std::string, std::string> environment_for_children();
// Takes them out of this process's environment, for one that is about to become another program.
void forget_secret_variables() noexcept;

// What execve(2) takes: pointers to the texts, and a null one behind.
std::vector<char*> exec_pointers(std::vector<std::string>& texts);
// "NAME=VALUE" of each variable.
std::vector<std::string> exec_entries(const std::map<std::string, std::string>& variables);
// Of a status of waitpid(2): 128+signal if a signal ended the process.
int exit_code_of(int status) noexcept;

struct Command {
  std::vector<std::string> argv;           // argv[0] is looked up in PATH
  std::map<std::string, std::string> env;  // added to (or replacing in) the caller's environment, which goes
                                           // along without its secret variables
  std::string cwd;                         // empty: the caller's
  std::string input;                       // given on stdin (empty: /dev/null)
  // It gets SIGTERM when the thread that started it ends, however, and none of the terminal's signals: it is
  // in a process group of its own.
  bool is_ours_alone = false;
  // It outlives the caller, and no signal of the caller's terminal reaches it.
  bool has_own_session = false;
};

struct Outcome {
  int exit_code = 0;  // 128+signal if a signal ended it
  std::string out;
  std::string err;
};

// Runs the command to its end and captures both outputs. Throws Error if it cannot be started.
Outcome run(const Command& command);
// The same, and throws Error with the command, its exit code and the end of its stderr unless it exits with
// 0.
std::string run_checked(const Command& command);

// A child process, owned: killed with SIGKILL and reaped when the object goes, unless waited for or detached.
class Process {
 public:
  struct Stdio {  // descriptors for the child, -1: /dev/null for stdin, the caller's for stdout and stderr
    int in = -1;
    int out = -1;
    int err = -1;
  };
  // Throws Error if the program cannot be executed.
  Process(const Command& command, Stdio stdio);
  Process(Process&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Process& operator=(Process&&) = delete;
  ~Process();

  pid_t pid() const noexcept { return pid_; }
  void kill(int signal) noexcept;
  // Waits for its end: the exit code, 128+signal if a signal ended it.
  int wait();
  // Waits at most so long; nothing if it still runs.
  std::optional<int> wait_for(std::chrono::milliseconds limit);
  void detach() noexcept { pid_ = -1; }

 private:
  pid_t pid_ = -1;
};

}  // namespace flox
