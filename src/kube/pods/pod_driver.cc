#include "kube/pods/pod_driver.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "base/error.h"
#include "base/foreign_error.h"
#include "kube/pods/cgroup.h"
#include "kube/pods/volumes.h"

namespace flox::kube {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr const char* overdue = "Pod was active on the node longer than the specified deadline";

PodStatus first_status(const PodRecord& record, const StateDir& state) {
  PodStatus status;
  status.uid = record.uid;
  status.name = record.name();
  status.namespace_ = record.namespace_();
  status.owner_kind = record.owner_kind;
  status.owner_name = record.owner_name;
  status.template_hash = record.template_hash;
  status.labels = record.object.metadata.labels;
  status.annotations = record.object.metadata.annotations;
  status.runtime_class = record.spec().runtime_class;
  status.service_account = record.spec().service_account;
  status.created_at = record.created_at;
  status.log_directory = state.log_dir(record);
  auto waiting = [](const Container& container, const char* reason) {
    ContainerStatus status;
    status.name = container.name;
    status.image = container.image;
    status.reason = reason;
    return status;
  };
  const bool has_init = !record.spec().init_containers.empty();
  for (const auto& container : record.spec().init_containers)
    status.init_containers.push_back(waiting(container, "PodInitializing"));
  for (const auto& container : record.spec().containers)
    status.containers.push_back(waiting(container, has_init ? "PodInitializing" : "ContainerCreating"));
  show(PodLife::pending, status);
  return status;
}

}  // namespace

PodDriver::PodDriver(PodRecord record, const PodWorld& world, std::function<void()> wake)
    : record_(std::move(record)),
      world_(world),
      wake_(std::move(wake)),
      report_(first_status(record_, world_.state), world_) {
  auto drive = [&](const std::vector<Container>& containers, bool init,
                   std::vector<ContainerStatus>& statuses, std::vector<ContainerDriver>& drivers) {
    for (size_t i = 0; i < containers.size(); ++i)
      drivers.emplace_back(containers[i], init, statuses[i], record_, world_, sandbox_, report_, wake_);
  };
  drive(record_.spec().init_containers, true, status_now().init_containers, init_);
  drive(record_.spec().containers, false, status_now().containers, main_);
}

void PodDriver::happens(PodEvent event) {
  life_ = follow(pod_life, life_.load(), event, "pod " + record_.name());
  show(life_, status_now());
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
    report_.event(true, "FailedSync", with_advice(error));
    next_ = calm_interval;
  } catch (const std::exception& error) {
    report_.event(true, "FailedSync", message_of(error));
    next_ = calm_interval;
  }
  report_.publish();
  return next_;
}

void PodDriver::refresh() {
  const StringMap ours = {{uid_label, record_.uid}, {state_label, world_.state.id()}};
  sandboxes_ = world_.cri.list_sandboxes(ours);
  containers_ = world_.cri.list_containers(ours);
}

const ContainerInfo* PodDriver::latest(const std::string& name) const {
  const ContainerInfo* found = nullptr;
  for (const auto& container : containers_)
    if (container.name == name && container.sandbox_id == sandbox_.id &&
        (!found || container.attempt > found->attempt))
      found = &container;
  return found;
}

milliseconds PodDriver::sync() {
  if (status_now().finished()) {
    if (!sandbox_.id.empty()) world_.cri.stop_sandbox(sandbox_.id);  // frees its address
    sandbox_.id.clear();
    return calm_interval;
  }
  refresh();
  if (is_overdue()) {
    if (!ended_before()) end_overdue();
    return next_;
  }
  if (!have_sandbox()) return next_;
  next_ = calm_interval;
  if (run_init_containers()) run_containers();
  const bool calm = status_now().ready() || status_now().finished();
  return calm ? next_ : std::min(next_, busy_interval);
}

// --- its sandbox

bool PodDriver::have_sandbox() {
  const auto ready =
      std::find_if(sandboxes_.begin(), sandboxes_.end(), [](const auto& sandbox) { return sandbox.ready; });
  if (ready == sandboxes_.end()) {
    if (ended_before()) return false;
    drop_dead_sandboxes();
    return make_sandbox();
  }
  if (ready->id != sandbox_.id) {  // found again after a restart of the supervisor
    sandbox_.volumes = prepare_volumes(record_, *world_.objects(), world_.state);
    sandbox_.config = make_sandbox_config(record_, world_.place_of(record_), ready->attempt);
    status_now().ip = world_.cri.sandbox_ip(ready->id);
    sandbox_.id = ready->id;
  }
  return true;
}

void PodDriver::drop_dead_sandboxes() {
  if (!sandboxes_.empty())
    report_.event(false, "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.");
  for (const auto& sandbox : sandboxes_) {
    world_.cri.stop_sandbox(sandbox.id);
    world_.cri.remove_sandbox(sandbox.id);
  }
  sandbox_.id.clear();
  containers_.clear();
  for (auto* list : {&init_, &main_})
    for (auto& container : *list) container.lost();
}

bool PodDriver::wait(const char* reason, const std::string& message, bool permanent) {
  report_.event(true, *reason ? reason : "FailedMount", message);
  status_now().reason = reason;
  status_now().message = message;
  status_now().permanent = permanent;
  next_ = calm_interval;
  return false;
}

bool PodDriver::make_sandbox() {
  const Time now = world_.now();
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
    sandbox_.volumes = prepare_volumes(record_, *objects, world_.state);
  } catch (const Error& error) {
    return wait("", with_advice(error), error.kind() == ErrorKind::not_found);
  }
  status_now().reason.clear();
  status_now().message.clear();
  status_now().permanent = false;
  if (now < sandbox_back_off_.next_try(sandbox_failed_at_)) {
    next_ = busy_interval;
    return false;
  }
  sandbox_back_off_.tried(now);
  unsigned attempt = 0;
  for (const auto& sandbox : sandboxes_) attempt = std::max(attempt, sandbox.attempt + 1);
  sandbox_.config = make_sandbox_config(record_, world_.place_of(record_), attempt);
  fs::create_directories(sandbox_.config.log_directory);
  report_.publish();
  try {
    sandbox_.id = world_.cri.run_sandbox(sandbox_.config, handler);
  } catch (const Error& error) {
    sandbox_failed_at_ = world_.now();
    report_.event(true, "FailedCreatePodSandBox", "Failed to create pod sandbox: " + with_advice(error));
    next_ = busy_interval;
    return false;
  }
  status_now().ip = world_.cri.sandbox_ip(sandbox_.id);
  return true;
}

// --- its containers

bool PodDriver::run_init_containers() {
  for (auto& container : init_) {
    const Outlook outlook = container.step(latest(container.name()), next_);
    if (outlook == Outlook::failed) finish(false);
    if (outlook != Outlook::succeeded) return false;
  }
  return true;
}

void PodDriver::run_containers() {
  bool all_ended = true, all_well = true;
  for (auto& container : main_) {
    const ContainerInfo* found = latest(container.name());
    if (found && found->state != ContainerState::created) happens(PodEvent::container_ran);
    const Outlook outlook = container.step(found, next_);
    all_ended = all_ended && outlook != Outlook::not_ended;
    all_well = all_well && outlook == Outlook::succeeded;
  }
  if (all_ended) finish(all_well);
}

// --- its end

void PodDriver::finish(bool success) {
  happens(success ? PodEvent::succeeded : PodEvent::failed);
  stop_probes();
  next_ = 0ms;
}

void PodDriver::stop_probes() {
  for (auto& container : main_) container.stop_probes();
}

// A pod whose sandbox is gone because its containers have all done their work: nothing is to be started
// again.
bool PodDriver::ended_before() {
  if (record_.spec().restart_policy == RestartPolicy::always || sandboxes_.empty()) return false;
  sandbox_.id = std::max_element(sandboxes_.begin(), sandboxes_.end(), [](const auto& a, const auto& b) {
                  return a.attempt < b.attempt;
                })->id;
  bool well = true;
  for (auto* list : {&init_, &main_})
    for (auto& container : *list) {
      const ContainerInfo* found = latest(container.name());
      if (!found || found->state != ContainerState::exited) return false;
      const Outlook outlook = container.take_end(*found);
      if (outlook == Outlook::not_ended) return false;
      well = well && outlook == Outlook::succeeded;
      if (!well && list == &init_) {
        finish(false);
        return true;
      }
    }
  finish(well);
  return true;
}

bool PodDriver::is_overdue() const {
  const auto& deadline = record_.spec().active_deadline;
  return deadline && world_.unix_now() - record_.created_at > deadline->count();
}

// The pod has run as long as it may: its containers end, and it has failed.
void PodDriver::end_overdue() {
  report_.event(true, "DeadlineExceeded", overdue);
  stop_probes();
  for (const auto& container : containers_)
    if (container.state == ContainerState::running)
      world_.cri.stop_container(container.id, record_.spec().termination_grace);
  if (sandbox_.id.empty() && !sandboxes_.empty()) sandbox_.id = sandboxes_.back().id;
  finish(false);
  status_now().reason = "DeadlineExceeded";
  status_now().message = overdue;
}

milliseconds PodDriver::take_down() {
  if (life_ != PodLife::terminating) {
    report_.event(false, "Killing", "Stopping the pod");
    happens(PodEvent::end_asked);
  }
  report_.publish();
  stop_probes();
  refresh();
  stop_containers();
  for (const auto& sandbox : sandboxes_) world_.cri.stop_sandbox(sandbox.id);
  for (const auto& container : containers_) world_.cri.remove_container(container.id);
  for (const auto& sandbox : sandboxes_) world_.cri.remove_sandbox(sandbox.id);
  remove_volumes(record_.uid, world_.state);
  remove_tree(world_.state.log_dir(record_));
  remove_cgroup(pod_cgroup(world_.cgroup_parent, record_.uid));
  happens(PodEvent::removed);
  world_.changed();
  return calm_interval;
}

// All containers get their grace period at the same time.
void PodDriver::stop_containers() {
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
}

}  // namespace flox::kube
