#include "shim/runtime/oci_runtime.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "ttrpc/status.h"

namespace flox::shim {

using ttrpc::Code;
using ttrpc::fail_status;

namespace {

// A command that hangs must not hold up the pod for ever: kubelet gives up after two minutes, and wants to be
// able to kill and delete then. Only criu may take longer.
constexpr Milliseconds command_limit{std::chrono::seconds(100)};
constexpr Milliseconds criu_limit{std::chrono::hours(1)};

// Unlinks a file at the end of a scope, however that ends.
struct TemporaryFile {
  fs::path path;
  ~TemporaryFile() { ::unlink(path.c_str()); }
};

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// What the runtime wrote into its --pid-file.
pid_t read_pid(const fs::path& file, const std::string& what) {
  pid_t pid = 0;
  if (fs::exists(file)) {
    const std::string text = read_file(file);
    std::from_chars(text.data(), text.data() + text.size(), pid);
  }
  if (pid <= 0) fail_status(Code::unknown, "{}: {} holds no process id", what, file.string());
  return pid;
}

// Ends what a command has made before it failed: nobody else will know of it.
void kill_unclaimed(const fs::path& pid_file) {
  if (!fs::exists(pid_file)) return;
  const std::string text = read_file(pid_file);
  pid_t pid = 0;
  std::from_chars(text.data(), text.data() + text.size(), pid);
  siginfo_t info{};
  if (pid > 0 && ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0)
    ::kill(pid, SIGKILL);  // our child, not reaped yet: the pid cannot mean another process
}

// The runtime's own words: what it logged, else what it printed.
[[noreturn]] void fail_command(const std::string& what, const fs::path& log, std::string printed) {
  std::string reason = oci::last_error(log).value_or(std::move(printed));
  while (!reason.empty() && reason.back() == '\n') reason.pop_back();
  fail_status(Code::unknown, "{}: {}", what, reason.empty() ? "unknown error (no message)" : reason);
}

}  // namespace

OciRuntime::OciRuntime(Children& children, const RuntimeOptions& options, const std::string& namespace_name,
                       std::string id, fs::path bundle)
    : children_(children),
      runtime_(options.runtime(namespace_name)),
      id_(std::move(id)),
      bundle_(std::move(bundle)) {}

asio::awaitable<pid_t> OciRuntime::create(const Stdio& stdio, Milliseconds limit) {
  const fs::path pid_file = bundle_ / "init.pid";
  oci::Argv argv = runtime_.create(id_, bundle_, pid_file, stdio.console_socket());
  return run_with_stdio(std::move(argv), stdio, "OCI runtime create failed", pid_file,
                        std::min(limit, command_limit));
}

asio::awaitable<void> OciRuntime::start() {
  co_await run(runtime_.start(id_), "OCI runtime start failed", {}, command_limit);
}

asio::awaitable<pid_t> OciRuntime::restore(const Stdio& stdio, oci::Runtime::Checkpoint from) {
  const fs::path pid_file = bundle_ / "init.pid";
  oci::Argv argv = runtime_.restore(id_, bundle_, pid_file, stdio.console_socket(), from);
  return run_with_stdio(std::move(argv), stdio, "OCI runtime restore failed", pid_file, criu_limit);
}

asio::awaitable<void> OciRuntime::checkpoint(oci::Runtime::Checkpoint how) {
  co_await run(runtime_.checkpoint(id_, how), "OCI runtime checkpoint failed", {}, criu_limit);
}

asio::awaitable<pid_t> OciRuntime::exec(std::string exec_id, const oci::ProcessSpec& spec,
                                        const Stdio& stdio) {
  const fs::path pid_file = bundle_ / (exec_id + ".pid");
  const TemporaryFile process{bundle_ / (exec_id + ".process.json")};
  Directory(bundle_).write_file(process.path.filename().string(), spec.dump(), 0600);
  oci::Argv argv = runtime_.exec(id_, process.path, pid_file, stdio.console_socket());
  try {
    const pid_t pid =
        co_await run_with_stdio(std::move(argv), stdio, "OCI runtime exec failed", pid_file, command_limit);
    co_return pid;
  } catch (...) {
    kill_unclaimed(pid_file);
    throw;
  }
}

asio::awaitable<void> OciRuntime::kill(uint32_t signal, bool all) {
  try {
    co_await run(runtime_.kill(id_, signal, all), "killing", {}, command_limit);
  } catch (const ttrpc::StatusError& error) {
    const std::string text = error.what();
    for (const char* ended : {"process already finished", "container not running", "no such process"})
      if (contains(text, ended)) fail_status(Code::not_found, "process already finished");
    if (contains(text, "does not exist")) fail_status(Code::not_found, "no such container");
    throw;
  }
}

asio::awaitable<void> OciRuntime::pause() {
  co_await run(runtime_.pause(id_), "OCI runtime pause failed", {}, command_limit);
}

asio::awaitable<void> OciRuntime::resume() {
  co_await run(runtime_.resume(id_), "OCI runtime resume failed", {}, command_limit);
}

asio::awaitable<void> OciRuntime::update(std::string resources_json) {
  co_await run(runtime_.update(id_), "OCI runtime update failed", std::move(resources_json), command_limit);
}

asio::awaitable<std::vector<pid_t>> OciRuntime::processes() {
  const std::string printed = co_await run(runtime_.processes(id_), "listing processes", {}, command_limit);
  co_return oci::parse_pids(printed);
}

asio::awaitable<void> OciRuntime::remove(bool force) {
  try {
    co_await run(runtime_.remove(id_, force), "OCI runtime delete failed", {}, command_limit);
  } catch (const ttrpc::StatusError& error) {
    if (!contains(error.what(), "does not exist")) throw;
  }
}

fs::path OciRuntime::next_log() { return bundle_ / fmt::format("log-{}.json", ++commands_); }

// A command whose errors go to `log`. It runs in the bundle, as under containerd's shim: programs that wrap
// an OCI runtime read config.json there.
Spawn OciRuntime::spawn_of(oci::Argv argv, const fs::path& log, Milliseconds limit) const {
  Spawn spawn;
  spawn.argv = oci::with_log(std::move(argv), log);
  spawn.cwd = bundle_;
  spawn.limit = limit;
  return spawn;
}

asio::awaitable<std::string> OciRuntime::run(oci::Argv argv, std::string what, std::string input,
                                             Milliseconds limit) {
  const TemporaryFile log{next_log()};
  Captured result;
  try {
    result = co_await children_.capture(spawn_of(std::move(argv), log.path, limit), std::move(input));
  } catch (const Error& error) {
    fail_status(Code::unknown, "{}: {}", what, error.what());
  }
  if (result.status != 0) fail_command(what, log.path, std::move(result.err));
  co_return std::move(result.out);
}

asio::awaitable<pid_t> OciRuntime::run_with_stdio(oci::Argv argv, const Stdio& stdio, std::string what,
                                                  fs::path pid_file, Milliseconds limit) {
  const TemporaryFile log{next_log()};
  Spawn spawn = spawn_of(std::move(argv), log.path, limit);
  spawn.in = stdio.child_in();
  spawn.out = stdio.child_out();
  spawn.err = stdio.child_err();
  int status = 0;
  try {
    status = co_await children_.run(std::move(spawn));
  } catch (const Error& error) {
    fail_status(Code::unknown, "{}: {}", what, error.what());
  }
  if (status != 0)
    fail_command(what, log.path,
                 fmt::format("{} ended with exit code {}", runtime_.settings().binary, status));
  co_return read_pid(pid_file, what);
}

}  // namespace flox::shim
