#include "shim/sandbox/sandbox.h"

#include <signal.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "shim/io/shim_log.h"
#include "shim/protocol/time.h"
#include "shim/runtime/pause_process.h"
#include "ttrpc/status.h"

namespace flox::shim {

using ttrpc::Code;
using ttrpc::fail_status;

namespace {

bool has_sysctl(const oci::SandboxSpec& spec, std::string_view wanted) {
  for (const auto& [name, value] : spec.sysctls)
    if (name == wanted) return true;
  return false;
}

// In a user namespace of its own, a machine's root must not hand the whole range of groups on.
bool has_all_users() {
  const std::string map = read_file("/proc/self/uid_map");
  return map.find("4294967295") != std::string::npos;
}

// What CRI does for a pause container unless it is configured otherwise (enable_unprivileged_ports,
// enable_unprivileged_icmp): we are not told its configuration.
void add_sysctls_of_cri(oci::SandboxSpec& spec) {
  constexpr const char *ports = "net.ipv4.ip_unprivileged_port_start", *ping = "net.ipv4.ping_group_range";
  if (!spec.has_namespace("network")) return;
  if (!has_sysctl(spec, ports) && fs::exists("/proc/sys/net/ipv4/ip_unprivileged_port_start"))
    spec.sysctls.emplace_back(ports, "0");
  if (!has_sysctl(spec, ping) && fs::exists("/proc/sys/net/ipv4/ping_group_range") && has_all_users())
    spec.sysctls.emplace_back(ping, "0 2147483647");
}

PauseReport read_report(const Fd& from) {
  PauseReport report{-1, 0};
  [[maybe_unused]] const size_t got = read_some(from.get(), reinterpret_cast<char*>(&report), sizeof report);
  return report;
}

// Of a container's namespace: "/proc/PID/ns/pid".
std::string namespace_path(const oci::RuntimeSpec& spec, std::string_view type) {
  const oci::Json& document = spec.document();
  if (!document.contains("linux") || !document["linux"].contains("namespaces")) return {};
  for (const oci::Json& entry : document["linux"]["namespaces"])
    if (entry.value("type", "") == type) return entry.value("path", "");
  return {};
}

}  // namespace

Sandbox::Pod::Pod(const Executor& executor, const wire::CreateSandboxRequest& request)
    : id(request.sandbox_id()),
      bundle(request.bundle_path()),
      netns(request.netns_path()),
      config(PodConfig::decode(request.options())),
      files(bundle),
      figures(config.cgroup.empty() ? Cgroup() : Cgroup::at(config.cgroup)),
      ended(executor) {}

void Sandbox::Pod::ends(int status, WallTime at) {
  if (state == State::stopped) return;
  state = State::stopped;
  thread.reset();
  holder = 0;
  exit_status = status;
  exited_at = at;
  ended.set();
}

std::shared_ptr<Sandbox::Pod> Sandbox::find(const std::string& id) const {
  if (!pod_ || pod_->id != id) fail_status(Code::not_found, "sandbox not created: {}", id);
  return pod_;
}

void Sandbox::check(const std::string& id) const { find(id); }

void Sandbox::create(const wire::CreateSandboxRequest& request) {
  const std::string& id = request.sandbox_id();
  if (!is_file_name(id)) fail_status(Code::invalid_argument, "\"{}\" cannot be a sandbox's id", id);
  if (pod_) fail_status(Code::already_exists, "this shim has the sandbox {}", pod_->id);
  if (request.rootfs_size() > 0) fail_status(Code::invalid_argument, "a sandbox of this shim has no root");
  pod_ = std::make_shared<Pod>(executor_, request);
}

asio::awaitable<pid_t> Sandbox::start(std::string id) {
  const std::shared_ptr<Pod> pod = find(id);
  if (pod->state != State::created)
    fail_status(Code::failed_precondition, "sandbox {} was started before", id);
  pod->files.make(pod->config);
  start_holder(pod);
  enter_cgroup(*pod);
  pod->state = State::ready;
  pod->created_at = std::chrono::system_clock::now();
  log_debug("the sandbox {} is ready: its namespaces are those of {}", id, pod->holder);
  co_return pod->holder;
}

// Only below a pod's own cgroup do containers have one each that does not depend on the shim's. It may be
// refused to us: then floxd forgets the pod's environments while none of its containers runs.
void Sandbox::enter_cgroup(Pod& pod) {
  if (pod.config.cgroup.empty()) return;
  try {
    pod.cgroup = std::make_unique<PodCgroup>(pod.id, pod.bundle);
  } catch (const std::exception& error) {
    log_warning("floxd cannot see the sandbox {}: {}", pod.id, message_of(error));
  }
}

void Sandbox::start_holder(const std::shared_ptr<Pod>& pod) {
  oci::SandboxSpec spec = pod->config.sandbox_spec(pod->netns);
  add_sysctls_of_cri(spec);
  if (pod->config.shared_pid) return start_pause(pod, std::move(spec));
  pod->thread = std::make_unique<NamespaceThread>(spec);
  pod->holder = pod->thread->id();
}

// It takes a millisecond, and nobody else has anything to do in a pod that is not there yet.
void Sandbox::start_pause(const std::shared_ptr<Pod>& pod, oci::SandboxSpec spec) {
  spec.namespaces.push_back({"pid", ""});
  spec.namespaces.push_back({"mount", ""});
  Directory(pod->bundle).make_directory("sandbox-root");
  Children::ReapingRecord record(children_);
  PauseProcess process = start_pause_process(
      {.spec = std::move(spec), .root = pod->bundle / "sandbox-root", .dies_with_shim = true});
  pod->holder = process.pid;
  pod->pause = children_.adopt(process.pid);
  asio::co_spawn(executor_, watch_pause(pod), asio::detached);
  PauseReport report = read_report(process.report);
  if (report.step == 0) {
    write_all(process.go.get(), "1");
    report = read_report(process.report);  // the end: its program runs
    if (report.step < 0) return;
  }
  fail_errno(report.error, "making the pod's first process: {}", pause_step_name(report.step));
}

asio::awaitable<void> Sandbox::watch_pause(std::shared_ptr<Pod> pod) {
  co_await pod->pause->happened.wait();
  pod->ends(pod->pause->status, pod->pause->at);
}

asio::awaitable<void> Sandbox::stop(std::string id) {
  const std::shared_ptr<Pod> pod = find(id);
  co_await stop(pod);
}

asio::awaitable<void> Sandbox::stop(std::shared_ptr<Pod> pod) {
  const bool has_process = pod->pause && !pod->pause->happened.is_set();
  if (has_process && pod->holder > 0) ::kill(pod->holder, SIGKILL);  // our child, not reaped yet
  pod->ends(0, std::chrono::system_clock::now());
  if (has_process) co_await pod->pause->happened.wait();
  pod->cgroup.reset();
  pod->files.unmount();
}

asio::awaitable<std::optional<wire::WaitResponse>> Sandbox::wait(std::string id, Milliseconds limit) {
  const std::shared_ptr<Pod> pod = find(id);
  const bool ended = co_await pod->ended.wait_for(limit);
  if (!ended) co_return std::nullopt;
  wire::WaitResponse response;
  response.set_exit_status(static_cast<uint32_t>(pod->exit_status));
  *response.mutable_exited_at() = timestamp_of(pod->exited_at);
  co_return response;
}

wire::SandboxStatusResponse Sandbox::status(const std::string& id, bool verbose) const {
  const std::shared_ptr<Pod> pod = find(id);
  wire::SandboxStatusResponse response;
  const bool ready = pod->state == State::ready;
  response.set_sandbox_id(id);
  response.set_pid(static_cast<uint32_t>(pod->holder));
  response.set_state(ready ? "SANDBOX_READY" : "SANDBOX_NOTREADY");
  *response.mutable_created_at() = pod->state == State::created ? never() : timestamp_of(pod->created_at);
  *response.mutable_exited_at() = pod->state == State::stopped ? timestamp_of(pod->exited_at) : never();
  if (verbose)
    (*response.mutable_info())["info"] =
        fmt::format(R"({{"pid":{},"processStatus":"{}"}})", pod->holder, ready ? "running" : "stopped");
  return response;
}

wire::Metric Sandbox::metrics(const std::string& id) const {
  const std::shared_ptr<Pod> pod = find(id);
  if (pod->config.cgroup.empty()) fail_status(Code::not_found, "the sandbox {} has no cgroup", id);
  wire::Metric metric;
  *metric.mutable_timestamp() = timestamp_of(std::chrono::system_clock::now());
  metric.set_id(id);
  *metric.mutable_data() = pod->figures.stats();
  return metric;
}

asio::awaitable<void> Sandbox::remove() {
  if (!pod_) co_return;
  const std::shared_ptr<Pod> pod = pod_;
  try {
    co_await stop(pod);
  } catch (const std::exception& error) {  // containerd unmounts it, too
    log_warning("removing the sandbox {}: {}", pod->id, message_of(error));
  }
  pod_.reset();
}

bool Sandbox::add_to(oci::RuntimeSpec& spec) const {
  if (!pod_ || spec.annotation("io.kubernetes.cri.sandbox-id") != pod_->id) return false;
  if (pod_->thread && !pod_->config.host_pid &&
      namespace_path(spec, "pid") == fmt::format("/proc/{}/ns/pid", pod_->holder))
    fail(ErrorKind::invalid_input,
         "this container is to share its pod's pid namespace, and the pod's configuration gives it none");
  pod_->files.add_to(spec, pod_->config);
  return true;
}

}  // namespace flox::shim
