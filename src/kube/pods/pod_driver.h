// Brings one pod to life, keeps it alive and takes it down: a kubelet's pod worker. Everything it does
// follows from what the runtime says exists, so that a supervisor that is started again carries on where the
// last one ended. What may follow what stands in pod_life.h, and for its containers in container_life.h.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "kube/cri/cri.h"
#include "kube/pods/back_off.h"
#include "kube/pods/container_driver.h"
#include "kube/pods/pod_life.h"
#include "kube/pods/pod_record.h"
#include "kube/pods/pod_report.h"
#include "kube/pods/pod_world.h"

namespace flox::kube {

// One thread drives; status(), request_end() and gone() may be called from any.
class PodDriver {
 public:
  // `wake` is called from other threads when the next step should come at once.
  PodDriver(PodRecord record, const PodWorld& world, std::function<void()> wake);

  // Does what is to be done now, which may block on the runtime. Returns how long the next step can wait at
  // most. Never throws: trouble becomes the pod's status and events.
  std::chrono::milliseconds step();

  const PodRecord& record() const { return record_; }
  PodStatus status() const { return report_.published(); }
  // From the next step on the pod is taken down.
  void request_end();
  // Nothing is left of it but its record.
  bool gone() const { return life_ == PodLife::gone; }

 private:
  using Time = BackOff::Time;

  void happens(PodEvent event);
  PodStatus& status_now() { return report_.status(); }

  std::chrono::milliseconds sync();
  void refresh();
  const ContainerInfo* latest(const std::string& name) const;

  bool is_overdue() const;
  void end_overdue();
  bool ended_before();
  // Each returns true if the pod can go on to what comes next.
  bool have_sandbox();
  bool make_sandbox();
  bool run_init_containers();
  void run_containers();
  void drop_dead_sandboxes();
  // The pod cannot have a sandbox yet. It is looked for again every second what is missing.
  bool wait(const char* reason, const std::string& message, bool permanent);
  void finish(bool success);
  void stop_probes();

  std::chrono::milliseconds take_down();
  void stop_containers();

  PodRecord record_;
  const PodWorld& world_;
  std::function<void()> wake_;
  PodReport report_;
  std::atomic<PodLife> life_{PodLife::pending};
  std::atomic<bool> end_requested_{false};
  std::chrono::milliseconds next_{0};  // of this step
  std::vector<SandboxInfo> sandboxes_;
  std::vector<ContainerInfo> containers_;
  PodSandbox sandbox_;
  BackOff sandbox_back_off_;
  Time sandbox_failed_at_{};
  std::vector<ContainerDriver> init_, main_;  // in the spec's order
};

}  // namespace flox::kube
