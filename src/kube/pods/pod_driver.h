// Brings one pod to life, keeps it alive and takes it down: a kubelet's pod worker. Everything it does
// follows from what the runtime says exists, so that a supervisor that is started again carries on where the
// last one ended.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "kube/cri/cri.h"
#include "kube/pods/pod_config.h"
#include "kube/pods/pod_record.h"
#include "kube/pods/pod_status.h"
#include "kube/pods/probe.h"
#include "kube/pods/state_dir.h"
#include "kube/reading/object_index.h"

namespace flox::kube {

// When something that failed may be tried again. As the kubelet: the first time at once, then after 10 s,
// doubling up to 5 min; forgotten after 10 min of peace.
class BackOff {
 public:
  using Time = std::chrono::system_clock::time_point;
  // The earliest next try after a failure at `failed_at`.
  Time next_try(Time failed_at) const { return failed_at + delay_; }
  std::chrono::seconds delay() const { return delay_; }
  // It is tried (again) now.
  void tried(Time now);

 private:
  std::chrono::seconds delay_{0};
  int tries_ = 0;
  Time last_{};
};

// What a pod needs of the world around it; everything outlives the driver and may be used from any thread.
struct PodWorld {
  Cri& cri;
  const StateDir& state;
  std::string cgroup_parent, node_name;
  std::function<ObjectIndexPtr()> objects;
  std::function<std::chrono::system_clock::time_point()> now;
  std::function<void()> changed;  // a status has changed
};

// One thread drives; status() and request_end() may be called from any.
class PodDriver {
 public:
  // `wake` is called from other threads when the next step should come at once.
  PodDriver(PodRecord record, const PodWorld& world, std::function<void()> wake);

  // Does what is to be done now, which may block on the runtime. Returns how long the next step can wait at
  // most. Never throws: trouble becomes the pod's status and events.
  std::chrono::milliseconds step();

  const PodRecord& record() const { return record_; }
  PodStatus status() const;
  // From the next step on the pod is taken down.
  void request_end();
  // Nothing is left of it but its record.
  bool gone() const { return gone_; }

 private:
  using Time = std::chrono::system_clock::time_point;

  // What is known of a container beside what the runtime says.
  struct Tracked {
    BackOff back_off;
    std::string failed_reason, failed_message;  // the last creation failed
    Time failed_at{};
    std::string ended_id;  // of this container `ended` tells the end
    ContainerInfo ended;
  };

  std::chrono::milliseconds sync();
  std::chrono::milliseconds take_down();

  bool is_overdue() const;
  std::chrono::milliseconds end_overdue();
  bool ended_before();
  bool make_sandbox();
  void drop_dead_sandboxes();
  void refresh();
  const ContainerInfo* latest(const std::string& name) const;
  // Each returns true if the pod can go on to what comes next.
  bool run_init_containers();
  void run_containers();
  // Starts the container unless it has to wait; `previous` is the one that ended, if any.
  void start(const Container& container, ContainerStatus& status, bool init, const ContainerInfo* previous);
  void create_and_start(const Container& container, ContainerStatus& status, unsigned attempt,
                        const std::string& previous);
  void fail_start(ContainerStatus& status, const std::string& reason, const std::string& message);
  void watch(const Container& container, ContainerStatus& status, const ContainerInfo& info);
  const ContainerInfo& end_of(const ContainerInfo& info);
  void finish(bool success);
  bool may_restart(bool init, int exit_code) const;

  PodPlace place() const;
  UnixTime unix_now() const;
  void event(bool warning, const std::string& reason, const std::string& message);
  void publish();
  ContainerStatus& status_of(const std::string& name);

  PodRecord record_;
  const PodWorld& world_;
  std::function<void()> wake_;
  PodStatus working_;  // of the driving thread
  std::string published_text_;
  mutable std::mutex mutex_;
  PodStatus published_;
  std::atomic<bool> end_requested_{false}, gone_{false};
  std::chrono::milliseconds next_{0};  // of this step
  std::vector<SandboxInfo> sandboxes_;
  std::vector<ContainerInfo> containers_;
  std::string sandbox_id_;
  SandboxConfig sandbox_config_;
  std::map<std::string, std::string> volumes_;
  BackOff sandbox_back_off_;
  Time sandbox_failed_at_{};
  std::map<std::string, Tracked> tracked_;
  std::map<std::string, std::unique_ptr<ContainerProbes>> probes_;  // by container id
  bool sandbox_stopped_ = false;
};

}  // namespace flox::kube
