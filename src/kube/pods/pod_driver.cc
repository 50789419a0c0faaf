#include "kube/pods/pod_driver.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "kube/pods/cgroup.h"
#include "kube/pods/sub_path.h"
#include "kube/pods/volumes.h"

namespace flox::kube {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr milliseconds busy_interval = 200ms;   // while something is about to happen
constexpr milliseconds calm_interval = 1000ms;  // the kubelet looks for dead containers as often

std::string with_advice(const Error& error) {
  return error.advice().empty() ? error.what() : fmt::format("{} ({})", error.what(), error.advice());
}

}  // namespace

void BackOff::tried(Time now) {
  if (now - last_ > 10min) {
    tries_ = 0;
    delay_ = 0s;
  }
  last_ = now;
  delay_ = tries_++ == 0 ? 0s : std::min<std::chrono::seconds>(delay_ == 0s ? 10s : delay_ * 2, 300s);
}

PodDriver::PodDriver(PodRecord record, const PodWorld& world, std::function<void()> wake)
    : record_(std::move(record)), world_(world), wake_(std::move(wake)) {
  working_.uid = record_.uid;
  working_.name = record_.name();
  working_.namespace_ = record_.namespace_();
  working_.owner_kind = record_.owner_kind;
  working_.owner_name = record_.owner_name;
  working_.template_hash = record_.template_hash;
  working_.labels = record_.object.metadata.labels;
  working_.annotations = record_.object.metadata.annotations;
  working_.runtime_class = record_.spec().runtime_class;
  working_.service_account = record_.spec().service_account;
  working_.created_at = record_.created_at;
  working_.log_directory = world_.state.log_dir(record_);
  auto waiting = [](const Container& container, const char* reason) {
    ContainerStatus status;
    status.name = container.name;
    status.image = container.image;
    status.reason = reason;
    return status;
  };
  const bool has_init = !record_.spec().init_containers.empty();
  for (const auto& container : record_.spec().init_containers)
    working_.init_containers.push_back(waiting(container, "PodInitializing"));
  for (const auto& container : record_.spec().containers)
    working_.containers.push_back(waiting(container, has_init ? "PodInitializing" : "ContainerCreating"));
  published_ = working_;
}

PodStatus PodDriver::status() const {
  std::scoped_lock lock(mutex_);
  return published_;
}

void PodDriver::request_end() {
  end_requested_ = true;
  wake_();
}

milliseconds PodDriver::step() {
  next_ = calm_interval;
  try {
    next_ = end_requested_ ? take_down() : sync();
  } catch (const Error& error) {
    event(true, "FailedSync", with_advice(error));
    next_ = calm_interval;
  } catch (const std::exception& error) {
    event(true, "FailedSync", message_of(error));
    next_ = calm_interval;
  }
  publish();
  return next_;
}

void PodDriver::publish() {
  std::string text = to_json(working_).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text == published_text_) return;
  published_text_ = std::move(text);
  {
    std::scoped_lock lock(mutex_);
    published_ = working_;
  }
  world_.changed();
}

void PodDriver::event(bool warning, const std::string& reason, const std::string& message) {
  // What stays wrong is said again every few seconds at most.
  for (const auto& event : working_.events)
    if (event.reason == reason && event.message == message && unix_now() - event.time < 5) return;
  add_event(working_, unix_now(), warning, reason, message);
  log::write(warning ? log::Level::warning : log::Level::info,
             fmt::format("pod {}/{}: {}: {}", record_.namespace_(), record_.name(), reason, message));
}

UnixTime PodDriver::unix_now() const {
  return std::chrono::duration_cast<std::chrono::seconds>(world_.now().time_since_epoch()).count();
}

PodPlace PodDriver::place() const {
  return {world_.state.id(), world_.cgroup_parent, world_.node_name, world_.state.log_dir(record_)};
}

ContainerStatus& PodDriver::status_of(const std::string& name) {
  for (auto* list : {&working_.init_containers, &working_.containers})
    for (auto& status : *list)
      if (status.name == name) return status;
  fail(ErrorKind::internal, "pod {} has no container {}", record_.name(), name);
}

void PodDriver::refresh() {
  const StringMap ours = {{uid_label, record_.uid}, {state_label, world_.state.id()}};
  sandboxes_ = world_.cri.list_sandboxes(ours);
  containers_ = world_.cri.list_containers(ours);
}

const ContainerInfo* PodDriver::latest(const std::string& name) const {
  const ContainerInfo* found = nullptr;
  for (const auto& container : containers_)
    if (container.name == name && container.sandbox_id == sandbox_id_ &&
        (!found || container.attempt > found->attempt))
      found = &container;
  return found;
}

milliseconds PodDriver::sync() {
  if (working_.finished()) {
    if (!sandbox_stopped_ && !sandbox_id_.empty()) world_.cri.stop_sandbox(sandbox_id_);  // frees its address
    sandbox_stopped_ = true;
    return calm_interval;
  }
  refresh();
  if (is_overdue()) return end_overdue();
  const auto ready =
      std::find_if(sandboxes_.begin(), sandboxes_.end(), [](const auto& sandbox) { return sandbox.ready; });
  if (ready == sandboxes_.end()) {
    if (ended_before()) return next_;
    drop_dead_sandboxes();
    if (!make_sandbox()) return next_;
  } else if (ready->id != sandbox_id_) {  // found again after a restart of the supervisor
    volumes_ = prepare_volumes(record_, *world_.objects(), world_.state);
    sandbox_config_ = make_sandbox_config(record_, place(), ready->attempt);
    working_.ip = world_.cri.sandbox_ip(ready->id);
    sandbox_id_ = ready->id;
  }
  next_ = calm_interval;
  if (run_init_containers()) run_containers();
  const bool calm = working_.ready() || working_.finished();
  return calm ? next_ : std::min(next_, busy_interval);
}

bool PodDriver::is_overdue() const {
  const auto& deadline = record_.spec().active_deadline;
  return deadline && unix_now() - record_.created_at > deadline->count();
}

// The pod has run as long as it may: its containers end, and it has failed.
milliseconds PodDriver::end_overdue() {
  if (ended_before()) return next_;
  event(true, "DeadlineExceeded", "Pod was active on the node longer than the specified deadline");
  probes_.clear();
  for (const auto& container : containers_)
    if (container.state == ContainerState::running)
      world_.cri.stop_container(container.id, record_.spec().termination_grace);
  if (sandbox_id_.empty() && !sandboxes_.empty()) sandbox_id_ = sandboxes_.back().id;
  finish(false);
  working_.reason = "DeadlineExceeded";
  working_.message = "Pod was active on the node longer than the specified deadline";
  return next_;
}

void PodDriver::drop_dead_sandboxes() {
  probes_.clear();
  if (!sandboxes_.empty())
    event(false, "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.");
  for (const auto& sandbox : sandboxes_) {
    world_.cri.stop_sandbox(sandbox.id);
    world_.cri.remove_sandbox(sandbox.id);
  }
  sandbox_id_.clear();
  containers_.clear();
}

// A pod whose sandbox is gone because its containers have all done their work: nothing is to be started
// again.
bool PodDriver::ended_before() {
  if (record_.spec().restart_policy == RestartPolicy::always || sandboxes_.empty()) return false;
  sandbox_id_ = std::max_element(sandboxes_.begin(), sandboxes_.end(), [](const auto& a, const auto& b) {
                  return a.attempt < b.attempt;
                })->id;
  bool well = true, init = true;
  for (const auto* list : {&record_.spec().init_containers, &record_.spec().containers}) {
    for (const auto& container : *list) {
      const ContainerInfo* info = latest(container.name);
      if (!info || info->state != ContainerState::exited) return false;
      const ContainerInfo& end = end_of(*info);
      if (may_restart(init, end.exit_code)) return false;
      ContainerStatus& status = status_of(container.name);
      status.id = info->id;
      status.restarts = static_cast<int>(info->attempt);
      status.state = RunState::terminated;
      status.exit_code = end.exit_code;
      status.reason = end.reason.empty() ? (end.exit_code == 0 ? "Completed" : "Error") : end.reason;
      status.message = end.message;
      status.ready = init && end.exit_code == 0;
      well = well && end.exit_code == 0;
      if (init && end.exit_code != 0) {
        finish(false);
        return true;
      }
    }
    init = false;
  }
  finish(well);
  return true;
}

bool PodDriver::make_sandbox() {
  const Time now = world_.now();
  // What cannot be had yet keeps the pod waiting; it is looked for again every second.
  auto wait = [&](const char* reason, const std::string& message, bool permanent) {
    event(true, *reason ? reason : "FailedMount", message);
    working_.reason = reason;
    working_.message = message;
    working_.permanent = permanent;
    next_ = calm_interval;
    return false;
  };
  const ObjectIndexPtr objects = world_.objects();
  std::string handler;
  if (const std::string& name = record_.spec().runtime_class; !name.empty()) {
    const Object* object = objects->find({"RuntimeClass", "", name});
    if (!object)
      return wait("FailedCreate", fmt::format("runtimeclass.node.k8s.io \"{}\" not found", name), true);
    handler = std::get<RuntimeClass>(object->body).handler;
  }
  if (!record_.spec().host_users && !world_.cri.has_user_namespaces(handler))
    return wait("FailedCreate",
                fmt::format("hostUsers: false: the container runtime has no user namespaces for pods of its "
                            "handler \"{}\" (containerd 2 has them with runc 1.2)",
                            handler),
                true);
  try {
    volumes_ = prepare_volumes(record_, *objects, world_.state);
  } catch (const Error& error) {
    return wait("", with_advice(error), error.kind() == ErrorKind::not_found);
  }
  working_.reason.clear();
  working_.message.clear();
  working_.permanent = false;
  if (now < sandbox_back_off_.next_try(sandbox_failed_at_)) {
    next_ = busy_interval;
    return false;
  }
  sandbox_back_off_.tried(now);
  unsigned attempt = 0;
  for (const auto& sandbox : sandboxes_) attempt = std::max(attempt, sandbox.attempt + 1);
  sandbox_config_ = make_sandbox_config(record_, place(), attempt);
  fs::create_directories(sandbox_config_.log_directory);
  publish();
  try {
    sandbox_id_ = world_.cri.run_sandbox(sandbox_config_, handler);
  } catch (const Error& error) {
    sandbox_failed_at_ = world_.now();
    event(true, "FailedCreatePodSandBox", "Failed to create pod sandbox: " + with_advice(error));
    next_ = busy_interval;
    return false;
  }
  working_.ip = world_.cri.sandbox_ip(sandbox_id_);
  for (auto* list : {&working_.init_containers, &working_.containers})
    for (auto& status : *list) {
      status.state = RunState::waiting;
      status.ready = false;
    }
  return true;
}

bool PodDriver::may_restart(bool init, int exit_code) const {
  switch (record_.spec().restart_policy) {
    case RestartPolicy::always:
      return init ? exit_code != 0 : true;
    case RestartPolicy::on_failure:
      return exit_code != 0;
    default:
      return false;
  }
}

// The end of a container, asked for once: it does not change any more.
const ContainerInfo& PodDriver::end_of(const ContainerInfo& info) {
  Tracked& tracked = tracked_[info.name];
  if (tracked.ended_id != info.id) {
    tracked.ended = world_.cri.container_status(info.id);
    tracked.ended_id = info.id;
  }
  return tracked.ended;
}

bool PodDriver::run_init_containers() {
  for (const auto& container : record_.spec().init_containers) {
    ContainerStatus& status = status_of(container.name);
    const ContainerInfo* info = latest(container.name);
    if (!info || info->state == ContainerState::created) {
      start(container, status, true, info);
      return false;
    }
    status.id = info->id;
    status.restarts = static_cast<int>(info->attempt);
    if (info->state == ContainerState::running) {
      status.state = RunState::running;
      status.reason.clear();
      status.message.clear();
      return false;
    }
    const ContainerInfo& end = end_of(*info);
    status.exit_code = end.exit_code;
    status.finished_at = end.finished_at / 1000000000;
    if (end.exit_code == 0) {
      status.state = RunState::terminated;
      status.reason = "Completed";
      status.message.clear();
      status.ready = true;
      continue;
    }
    start(container, status, true, info);
    return false;
  }
  return true;
}

void PodDriver::run_containers() {
  bool all_ended = true, all_well = true;
  for (const auto& container : record_.spec().containers) {
    ContainerStatus& status = status_of(container.name);
    const ContainerInfo* info = latest(container.name);
    if (!info || info->state == ContainerState::created) {
      all_ended = false;
      start(container, status, false, info);
      continue;
    }
    status.id = info->id;
    status.restarts = static_cast<int>(info->attempt);
    working_.phase = "Running";
    if (info->state == ContainerState::running) {
      all_ended = false;
      watch(container, status, *info);
      continue;
    }
    probes_.erase(info->id);
    const ContainerInfo& end = end_of(*info);
    all_well = all_well && end.exit_code == 0;
    if (may_restart(false, end.exit_code)) all_ended = false;
    start(container, status, false, info);
  }
  if (all_ended) finish(all_well);
}

void PodDriver::finish(bool success) {
  working_.phase = success ? "Succeeded" : "Failed";
  probes_.clear();
  next_ = 0ms;
}

// A container that runs: its probes decide whether it is ready and whether it must be started again.
void PodDriver::watch(const Container& container, ContainerStatus& status, const ContainerInfo& info) {
  if (status.state != RunState::running || status.started_at == 0)
    status.started_at = world_.cri.container_status(info.id).started_at / 1000000000;
  status.state = RunState::running;
  status.reason.clear();
  status.message.clear();
  auto& probes = probes_[info.id];
  if (!probes)
    probes = std::make_unique<ContainerProbes>(container, ProbeTarget{info.id, working_.ip, container.ports},
                                               world_.cri, wake_);
  for (const auto& failure : probes->take_failures()) event(true, "Unhealthy", failure);
  status.ready = probes->ready();
  if (!probes->restart_wanted()) return;
  const auto grace = probes->failed_grace().value_or(record_.spec().termination_grace);
  status.ready = false;
  event(false, "Killing",
        fmt::format("Container {} failed its liveness or startup probe, will be restarted", container.name));
  publish();
  probes_.erase(info.id);
  world_.cri.stop_container(info.id, grace);
  next_ = 0ms;
}

void PodDriver::start(const Container& container, ContainerStatus& status, bool init,
                      const ContainerInfo* previous) {
  Tracked& tracked = tracked_[container.name];
  status.ready = false;
  Time failed_at = tracked.failed_at;
  const bool ended = previous && previous->state == ContainerState::exited;
  if (ended) {
    const ContainerInfo& end = end_of(*previous);
    status.last_exit_code = status.exit_code = end.exit_code;
    status.finished_at = end.finished_at / 1000000000;
    status.last_reason = end.reason.empty() ? (end.exit_code == 0 ? "Completed" : "Error") : end.reason;
    status.last_message = end.message;
    if (!may_restart(init, end.exit_code)) {
      status.state = RunState::terminated;
      status.reason = status.last_reason;
      status.message = end.message;
      if (init) finish(false);
      return;
    }
    failed_at =
        std::max(failed_at,
                 Time(std::chrono::duration_cast<Time::duration>(std::chrono::nanoseconds(end.finished_at))));
  }
  const Time now = world_.now(), next_try = tracked.back_off.next_try(failed_at);
  if (now < next_try) {
    status.state = RunState::waiting;
    if (tracked.failed_reason.empty()) {
      status.reason = "CrashLoopBackOff";
      status.message =
          fmt::format("back-off {} restarting failed container={} pod={}",
                      age_text(tracked.back_off.delay().count()), container.name, record_.name());
      event(true, "BackOff", fmt::format("Back-off restarting failed container {}", container.name));
    } else {
      status.reason = tracked.failed_reason;
      status.message = tracked.failed_message;
    }
    next_ = std::min(next_, busy_interval);
    return;
  }
  tracked.back_off.tried(now);
  if (!init && status.reason.empty()) status.reason = "ContainerCreating";
  status.state = RunState::waiting;
  if (status.reason == "PodInitializing" && !init)
    status.reason = working_.init_containers.empty() ? "ContainerCreating" : "PodInitializing";
  const unsigned attempt = previous ? previous->attempt + (ended ? 1 : 0) : 0;
  if (previous && !ended)
    world_.cri.remove_container(previous->id);  // created by a supervisor that ended before starting it
  create_and_start(container, status, attempt, ended ? previous->id : "");
}

void PodDriver::fail_start(ContainerStatus& status, const std::string& reason, const std::string& message) {
  Tracked& tracked = tracked_[status.name];
  tracked.failed_reason = reason;
  tracked.failed_message = message;
  tracked.failed_at = world_.now();
  status.state = RunState::waiting;
  status.reason = reason;
  status.message = message;
  event(true, "Failed", fmt::format("Error: container {}: {}", status.name, message));
  next_ = std::min(next_, busy_interval);
}

void PodDriver::create_and_start(const Container& container, ContainerStatus& status, unsigned attempt,
                                 const std::string& previous) {
  publish();
  const auto image = world_.cri.image(container.image);
  if (!image) {
    working_.permanent = true;
    return fail_start(
        status, "ErrImageNeverPull",
        fmt::format("Container image \"{}\" is not present on this machine, and images are never pulled here "
                    "(import it: `flox node images --output IMAGES.tar`, then `ctr -n k8s.io images import "
                    "IMAGES.tar`)",
                    container.image));
  }
  working_.permanent = false;
  auto bind = [&](const VolumeMount& mount, size_t index, const std::string& sub_path) {
    return in_context(fmt::format("volume {}", mount.volume), [&] {
      return bind_sub_path({record_.uid, container.name, index, volumes_.at(mount.volume), sub_path},
                           world_.state);
    });
  };
  ContainerConfig config;
  try {
    const ObjectIndexPtr objects = world_.objects();
    config = make_container_config(record_, container, attempt, place(),
                                   {*objects, volumes_, working_.ip, *image, bind});
    fs::create_directories(fs::path(sandbox_config_.log_directory) / container.name);
  } catch (const Error& error) {
    working_.permanent = error.kind() == ErrorKind::invalid_input || error.kind() == ErrorKind::untrusted;
    return fail_start(status, "CreateContainerConfigError", with_advice(error));
  }
  std::string id;
  try {
    id = world_.cri.create_container(sandbox_id_, config, sandbox_config_);
  } catch (const Error& error) {
    return fail_start(status, "CreateContainerError", with_advice(error));
  }
  status.id = id;
  status.restarts = static_cast<int>(attempt);
  // From here on the new one stands for the container, and the one before it is not needed.
  if (!previous.empty()) world_.cri.remove_container(previous);
  try {
    world_.cri.start_container(id);
  } catch (const Error& error) {
    return fail_start(status, "RunContainerError", with_advice(error));
  }
  Tracked& tracked = tracked_[container.name];
  tracked.failed_reason.clear();
  tracked.failed_message.clear();
  tracked.failed_at = {};
  status.state = RunState::running;
  status.reason.clear();
  status.message.clear();
  event(false, "Started", fmt::format("Started container {}", container.name));
  next_ = 0ms;
}

milliseconds PodDriver::take_down() {
  if (!working_.terminating) event(false, "Killing", "Stopping the pod");
  working_.terminating = true;
  publish();
  probes_.clear();
  refresh();
  // All containers get their grace period at the same time.
  std::vector<std::jthread> stopping;
  std::mutex mutex;
  std::string trouble;
  for (const auto& container : containers_) {
    if (container.state != ContainerState::running) continue;
    stopping.emplace_back([&, id = container.id] {
      try {
        world_.cri.stop_container(id, record_.spec().termination_grace);
      } catch (const Error& error) {
        std::scoped_lock lock(mutex);
        if (error.kind() != ErrorKind::not_found) trouble = error.what();
      }
    });
  }
  stopping.clear();
  if (!trouble.empty()) fail(ErrorKind::unavailable, "{}", trouble);
  for (const auto& sandbox : sandboxes_) world_.cri.stop_sandbox(sandbox.id);
  for (const auto& container : containers_) world_.cri.remove_container(container.id);
  for (const auto& sandbox : sandboxes_) world_.cri.remove_sandbox(sandbox.id);
  remove_volumes(record_.uid, world_.state);
  remove_tree(world_.state.log_dir(record_));
  remove_cgroup(pod_cgroup(world_.cgroup_parent, record_.uid));
  gone_ = true;
  world_.changed();
  return calm_interval;
}

}  // namespace flox::kube
