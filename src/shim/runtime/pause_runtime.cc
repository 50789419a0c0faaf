#include "shim/runtime/pause_runtime.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "shim/io/shim_log.h"
#include "ttrpc/status.h"

namespace flox::shim {

using ttrpc::Code;
using ttrpc::fail_status;

namespace {

// BUNDLE/sandbox-process, for a `delete` after the shim was killed: pid, start time (field 22 of
// /proc/PID/stat, which tells it from a later process of that number), and the directories of the cgroup,
// each in a line.
constexpr const char* state_file = "sandbox-process";

std::string start_time_of(pid_t pid) {
  const std::string file = fmt::format("/proc/{}/stat", pid);
  if (!fs::exists(file)) return {};
  const std::string text = read_file(file);
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  std::string field;
  for (int i = 3; i <= 22; ++i) fields >> field;
  return field;
}

[[noreturn]] void refuse(const char* what) {
  fail_status(Code::unimplemented,
              "{} a pod's sandbox: the shim runs it without an OCI runtime (FLOX_SANDBOX=oci in "
              "containerd's environment gives it one)",
              what);
}

bool is_plain_runtime(const fs::path& binary) {
  return binary.filename() == "runc" || binary.filename() == "crun";
}

}  // namespace

std::unique_ptr<PauseRuntime> PauseRuntime::for_sandbox(const oci::RuntimeSpec& spec,
                                                        const RuntimeOptions& options,
                                                        const Executor& executor, const fs::path& bundle) {
  const char* wish = std::getenv("FLOX_SANDBOX");
  if ((wish != nullptr && std::strcmp(wish, "oci") == 0) || options.systemd_cgroup ||
      !is_plain_runtime(options.binary))
    return nullptr;
  std::string why;
  std::optional<oci::SandboxSpec> plain = oci::SandboxSpec::of(spec, why);
  if (!plain) {
    log_debug("the OCI runtime makes this container: {}", why);
    return nullptr;
  }
  return std::unique_ptr<PauseRuntime>(new PauseRuntime(executor, std::move(*plain), bundle));
}

asio::awaitable<pid_t> PauseRuntime::create(const Stdio& /*has none*/, Milliseconds /*takes milliseconds*/) {
  cgroup_ = std::make_unique<SandboxCgroup>(spec_.cgroups_path, spec_.cpu_shares);
  const fs::path root = bundle_ / "sandbox-root";
  Directory(bundle_).make_directory("sandbox-root");
  process_ = start_pause_process({spec_, root, cgroup_->open_process_lists()});
  report_ = std::make_unique<asio::posix::stream_descriptor>(executor_, process_.report.get());
  [[maybe_unused]] int owned = process_.report.release();
  save_state();
  const std::optional<PauseReport> report = co_await next_report();
  if (!report || report->step != 0)
    fail_status(Code::unknown, "making the pod's sandbox: {}: {}",
                pause_step_name(report ? report->step : -1), std::strerror(report ? report->error : 0));
  Directory(bundle_).write_file("init.pid", std::to_string(process_.pid), 0644);
  co_return process_.pid;
}

asio::awaitable<std::optional<PauseReport>> PauseRuntime::next_report() {
  PauseReport report;
  boost::system::error_code error;
  co_await asio::async_read(*report_, asio::buffer(&report, sizeof report),
                            asio::redirect_error(asio::use_awaitable, error));
  if (error) co_return std::nullopt;
  co_return report;
}

void PauseRuntime::save_state() const {
  std::string text = fmt::format("{}\n{}\n", process_.pid, start_time_of(process_.pid));
  for (const fs::path& directory : cgroup_->directories()) text += directory.string() + "\n";
  Directory(bundle_).write_file(state_file, text, 0600);
}

asio::awaitable<void> PauseRuntime::start() {
  if (::write(process_.go.get(), "1", 1) != 1)
    fail_status(Code::unknown, "starting the pod's sandbox: {}", std::strerror(errno));
  process_.go.reset();
  const std::optional<PauseReport> report = co_await next_report();  // the end: its program runs
  report_.reset();
  if (report)
    fail_status(Code::unknown, "starting the pod's sandbox: {}: {}", pause_step_name(report->step),
                std::strerror(report->error));
}

asio::awaitable<void> PauseRuntime::kill(uint32_t signal, bool all) {
  if (!cgroup_) fail_status(Code::not_found, "no such container");
  if (signal == SIGKILL) cgroup_->freeze(false);
  const std::vector<pid_t> targets = all ? cgroup_->processes() : std::vector<pid_t>{process_.pid};
  bool any = false;
  for (pid_t pid : targets) any = ::kill(pid, static_cast<int>(signal)) == 0 || any;
  if (!any) fail_status(Code::not_found, "process already finished");
  co_return;
}

asio::awaitable<void> PauseRuntime::pause() {
  cgroup_->freeze(true);
  co_return;
}

asio::awaitable<void> PauseRuntime::resume() {
  cgroup_->freeze(false);
  co_return;
}

asio::awaitable<std::vector<pid_t>> PauseRuntime::processes() { co_return cgroup_->processes(); }

asio::awaitable<void> PauseRuntime::remove(bool force) {
  process_.go.reset();  // one that was never started ends by itself
  report_.reset();
  if (!cgroup_) co_return;
  if (force || process_.pid > 0)
    for (pid_t pid : cgroup_->processes()) ::kill(pid, SIGKILL);
  cgroup_->remove();
  cgroup_.reset();
  ::unlink((bundle_ / state_file).c_str());
}

void PauseRuntime::remove_leftovers(const fs::path& bundle) {
  if (!fs::exists(bundle / state_file)) return;
  std::istringstream lines(read_file(bundle / state_file));
  pid_t pid = 0;
  std::string start_time;
  std::vector<fs::path> directories;
  lines >> pid >> start_time >> std::ws;
  for (std::string line; std::getline(lines, line);) directories.emplace_back(line);
  if (pid > 0 && start_time_of(pid) == start_time) ::kill(pid, SIGKILL);
  if (directories.empty() || !fs::exists(directories[0])) return;
  const SandboxCgroup cgroup(std::move(directories));
  for (pid_t left : cgroup.processes()) ::kill(left, SIGKILL);
  cgroup.remove();
}

asio::awaitable<pid_t> PauseRuntime::restore(const Stdio& /*stdio*/, oci::Runtime::Checkpoint /*from*/) {
  refuse("cannot restore");
  co_return 0;
}

asio::awaitable<void> PauseRuntime::checkpoint(oci::Runtime::Checkpoint /*how*/) {
  refuse("cannot checkpoint");
  co_return;
}

asio::awaitable<pid_t> PauseRuntime::exec(std::string /*id*/, const oci::ProcessSpec& /*spec*/,
                                          const Stdio& /*stdio*/) {
  refuse("cannot exec in");
  co_return 0;
}

asio::awaitable<void> PauseRuntime::update(std::string /*resources*/) {
  refuse("cannot update");
  co_return;
}

}  // namespace flox::shim
