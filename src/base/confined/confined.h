// Work on untrusted bytes in a process of its own that can do nothing else (sandbox.h).
//
// A program that has such work is its own worker: it starts itself again (/proc/self/exe) with a first
// argument that nobody types, and main() hands over to run_confined_job(). So there is no second program to
// install, and no fork of a process with threads. Worker and starter talk over one socket in frames,
//
//   frame = length (4 bytes, little-endian, of what follows) kind (1 byte) number (4 bytes) text
//
// the starter only ever answers: it believes nothing of what comes, reads frames into bounded memory, and
// ends a worker that breaks the rules. A worker serves one request and then ends; a request may be to answer
// many questions (confined_service.h).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/confined/sandbox.h"
#include "base/os/fd.h"

namespace flox {

// The worker's end of the socket. Thread-safe.
class ConfinedChannel {
 public:
  virtual ~ConfinedChannel() = default;
  // Asks the starter and waits for its answer. Throws what its handler has thrown, as an Error.
  virtual std::string call(std::string_view message) = 0;
  // Tells the starter; there is no answer.
  virtual void note(std::string_view message) = 0;
  // Confines the process for good. Call once, before the first untrusted byte and before there are
  // threads; what needs files that the sandbox does not show (keys of a cache) is opened before.
  virtual void confine() = 0;
};

// A job: what is asked in, the result out. An Error that leaves it is thrown to who started it.
using ConfinedJob = std::function<std::string(std::string_view request, ConfinedChannel& channel)>;

// Makes a job known under a name; before run_confined_job(). The name's memory must stay.
void add_confined_job(std::string_view name, ConfinedJob job);
// First thing in main(): the exit code, if this process was started to do a job. From then on this process
// knows that it can start itself; without it, as in unit tests, jobs run on a thread of the starter,
// unconfined.
std::optional<int> run_confined_job(int argc, char** argv);

struct ConfinedRequest {
  std::string job;
  std::string text;
  Sandbox sandbox;
  IsolationPolicy policy = IsolationPolicy::best_effort;
  std::chrono::milliseconds deadline{std::chrono::hours(24)};
  unsigned handlers = 1;  // threads that answer, the caller's among them
  // Answers a call; what it throws is thrown to the job. Called by several threads at once if there are
  // several.
  std::function<std::string(std::string_view)> on_call;
  std::function<void(std::string_view)> on_note;
  // Told once when nothing more comes from the worker: calls that still wait for something give up.
  std::function<void()> on_end;
};

// A worker process that waits for its request. Killed and reaped when it goes.
class ConfinedWorker {
 public:
  // Starts it. `variables`: names of environment variables that it inherits, beside those of any client of
  // HTTP
  // ("AWS_*" is a prefix). Throws Error.
  explicit ConfinedWorker(const std::vector<std::string>& variables = {});
  ~ConfinedWorker();
  ConfinedWorker(const ConfinedWorker&) = delete;
  ConfinedWorker& operator=(const ConfinedWorker&) = delete;

  // Serves the job to its end and gives its result. Throws its Error; unavailable if the worker died ("the
  // fetcher died of signal 11 (Segmentation fault)"), broke the protocol or did not end in time. Call once.
  std::string serve(const ConfinedRequest& request);
  // Ends a job that another thread serves.
  void cancel() noexcept;
  // Still there, as far as is known.
  bool alive() const noexcept;
  pid_t pid() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Starts a worker for this one job. Throws as ConfinedWorker::serve() does.
std::string run_confined(const ConfinedRequest& request, const std::vector<std::string>& variables = {});
// Whether run_confined() has a process to run jobs in.
bool has_confined_processes() noexcept;

}  // namespace flox
