#include "kube/pods/container_driver.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "kube/pods/log_rotation.h"
#include "kube/pods/pod_config.h"
#include "kube/pods/sub_path.h"

namespace flox::kube {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

ContainerDriver::ContainerDriver(const Container& container, bool init, ContainerStatus& status,
                                 const PodRecord& record, const PodWorld& world, const PodSandbox& sandbox,
                                 PodReport& report, std::function<void()> wake)
    : container_(container),
      init_(init),
      status_(status),
      record_(record),
      world_(world),
      sandbox_(sandbox),
      report_(report),
      wake_(std::move(wake)),
      first_reason_(status.reason) {}

void ContainerDriver::happens(ContainerEvent event) {
  life_ = follow(container_life, life_, event, "container " + container_.name);
  status_.state = run_state_of(life_);
}

Outlook ContainerDriver::step(const ContainerInfo* found, milliseconds& next) {
  if (!found || found->state == ContainerState::created) {
    lost();
    start(found, next);
    return Outlook::not_ended;
  }
  status_.id = found->id;
  status_.restarts = static_cast<int>(found->attempt);
  if (found->state == ContainerState::running) {
    watch(*found, next);
    return Outlook::not_ended;
  }
  const Outlook outlook = take_end(*found);
  if (outlook == Outlook::not_ended) {
    happens(ContainerEvent::crashed);
    show_end(end_of(*found));
    start(found, next);
  }
  return outlook;
}

void ContainerDriver::lost() {
  const ContainerLife before = life_;
  happens(ContainerEvent::lost);
  probes_.reset();
  status_.ready = false;
  if (life_ == before) return;
  status_.reason = first_reason_;
  status_.message.clear();
}

// --- its end

bool ContainerDriver::may_restart(int exit_code) const {
  switch (record_.spec().restart_policy) {
    case RestartPolicy::always:
      return init_ ? exit_code != 0 : true;
    case RestartPolicy::on_failure:
      return exit_code != 0;
    default:
      return false;
  }
}

// Asked for once: an end does not change any more.
const ContainerInfo& ContainerDriver::end_of(const ContainerInfo& found) {
  if (ended_id_ != found.id) {
    ended_ = world_.cri.container_status(found.id);
    ended_id_ = found.id;
  }
  return ended_;
}

void ContainerDriver::show_end(const ContainerInfo& end) {
  status_.exit_code = status_.last_exit_code = end.exit_code;
  status_.finished_at = end.finished_at / 1000000000;
  status_.last_reason = end.reason.empty() ? (end.exit_code == 0 ? "Completed" : "Error") : end.reason;
  status_.last_message = end.message;
}

Outlook ContainerDriver::take_end(const ContainerInfo& found) {
  probes_.reset();
  const ContainerInfo& end = end_of(found);
  if (may_restart(end.exit_code)) return Outlook::not_ended;
  happens(ContainerEvent::ended);
  show_end(end);
  status_.id = found.id;
  status_.restarts = static_cast<int>(found.attempt);
  status_.reason = status_.last_reason;
  status_.message = status_.last_message;
  status_.ready = init_ && end.exit_code == 0;
  return end.exit_code == 0 ? Outlook::succeeded : Outlook::failed;
}

// --- its start

void ContainerDriver::start(const ContainerInfo* previous, milliseconds& next) {
  const bool ended = previous && previous->state != ContainerState::created;
  status_.ready = false;
  Time failed_at = start_failed_at_;
  if (ended) {
    const std::chrono::nanoseconds end(end_of(*previous).finished_at);
    failed_at = std::max(failed_at, Time(std::chrono::duration_cast<Time::duration>(end)));
  }
  const Time now = world_.now();
  if (now < back_off_.next_try(failed_at)) {
    show_back_off();
    next = std::min(next, busy_interval);
    return;
  }
  back_off_.tried(now);
  if (!init_ && status_.reason.empty()) status_.reason = "ContainerCreating";
  if (previous && !ended)
    world_.cri.remove_container(previous->id);  // created by a supervisor that ended before starting it
  const unsigned attempt = previous ? previous->attempt + (ended ? 1 : 0) : 0;
  create_and_start(attempt, ended ? previous->id : "");
  next = life_ == ContainerLife::running ? 0ms : std::min(next, busy_interval);
}

// After a start that failed the status says why, which is more.
void ContainerDriver::show_back_off() {
  if (life_ == ContainerLife::start_failed) return;
  status_.reason = "CrashLoopBackOff";
  status_.message = fmt::format("back-off {} restarting failed container={} pod={}",
                                age_text(back_off_.delay().count()), container_.name, record_.name());
  report_.event(true, "BackOff", fmt::format("Back-off restarting failed container {}", container_.name));
}

void ContainerDriver::fail_start(const std::string& reason, const std::string& message) {
  happens(ContainerEvent::start_failed);
  start_failed_at_ = world_.now();
  status_.reason = reason;
  status_.message = message;
  report_.event(true, "Failed", fmt::format("Error: container {}: {}", container_.name, message));
}

void ContainerDriver::create_and_start(unsigned attempt, const std::string& previous) {
  report_.publish();
  bool& permanent = report_.status().permanent;
  const auto image = world_.cri.image(container_.image);
  permanent = !image;
  if (!image)
    return fail_start(
        "ErrImageNeverPull",
        fmt::format("Container image \"{}\" is not present on this machine, and images are never pulled here "
                    "(import it: `flox node images --output IMAGES.tar`, then `ctr -n k8s.io images import "
                    "IMAGES.tar`)",
                    container_.image));
  ContainerConfig config;
  try {
    config = make_config(attempt, *image);
    fs::create_directories(log_directory());
    remove_old_logs(log_directory(), attempt);
  } catch (const Error& error) {
    permanent = error.kind() == ErrorKind::invalid_input || error.kind() == ErrorKind::untrusted;
    return fail_start("CreateContainerConfigError", with_advice(error));
  }
  std::string id;
  try {
    id = world_.cri.create_container(sandbox_.id, config, sandbox_.config);
  } catch (const Error& error) {
    return fail_start("CreateContainerError", with_advice(error));
  }
  status_.id = id;
  status_.restarts = static_cast<int>(attempt);
  // From here on the new one stands for the container, and the one before it is not needed.
  if (!previous.empty()) world_.cri.remove_container(previous);
  try {
    world_.cri.start_container(id);
  } catch (const Error& error) {
    return fail_start("RunContainerError", with_advice(error));
  }
  happens(ContainerEvent::started);
  start_failed_at_ = {};
  status_.started_at = 0;  // asked for when it is found running
  status_.reason.clear();
  status_.message.clear();
  report_.event(false, "Started", fmt::format("Started container {}", container_.name));
}

fs::path ContainerDriver::log_directory() const {
  return fs::path(sandbox_.config.log_directory) / container_.name;
}

ContainerConfig ContainerDriver::make_config(unsigned attempt, const ImageInfo& image) const {
  auto bind = [&](const VolumeMount& mount, size_t index, const std::string& sub_path) {
    return in_context(fmt::format("volume {}", mount.volume), [&] {
      return bind_sub_path({record_.uid, container_.name, index, sandbox_.volumes.at(mount.volume), sub_path},
                           world_.state);
    });
  };
  const ObjectIndexPtr objects = world_.objects();
  return make_container_config(record_, container_, attempt, world_.place_of(record_),
                               {*objects, sandbox_.volumes, report_.status().ip, image, bind});
}

// --- while it runs

void ContainerDriver::keep_log_small(const ContainerInfo& found) {
  if (world_.now() - log_failed_at_ < 1min) return;
  try {
    rotate_log(log_directory(), fmt::format("{}.log", found.attempt), {}, world_.now(),
               [&] { world_.cri.reopen_log(found.id); });
  } catch (const Error& error) {
    log_failed_at_ = world_.now();
    log::warning("pod {}/{}: {}", record_.namespace_(), record_.name(), error.what());
  }
}

// Its probes decide whether it is ready and whether it must be started again.
void ContainerDriver::watch(const ContainerInfo& found, milliseconds& next) {
  if (!init_ && (life_ != ContainerLife::running || status_.started_at == 0))
    status_.started_at = world_.cri.container_status(found.id).started_at / 1000000000;
  happens(ContainerEvent::started);
  status_.reason.clear();
  status_.message.clear();
  keep_log_small(found);
  if (init_) return;  // it has no probes, and is ready when it has ended
  if (!probes_)
    probes_ = std::make_unique<ContainerProbes>(
        container_, ProbeTarget{found.id, report_.status().ip, container_.ports}, world_.cri, wake_);
  for (const auto& failure : probes_->take_failures()) report_.event(true, "Unhealthy", failure);
  status_.ready = probes_->ready();
  if (!probes_->restart_wanted()) return;
  const auto grace = probes_->failed_grace().value_or(record_.spec().termination_grace);
  status_.ready = false;
  report_.event(
      false, "Killing",
      fmt::format("Container {} failed its liveness or startup probe, will be restarted", container_.name));
  report_.publish();
  probes_.reset();
  world_.cri.stop_container(found.id, grace);
  next = 0ms;
}

}  // namespace flox::kube
