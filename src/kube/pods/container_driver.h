// Brings one of a pod's containers to life and keeps it alive: starts it, starts it again after it has ended,
// as its pod's restart policy says and not too often, and follows its probes. What may follow what stands in
// container_life.h.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "kube/cri/cri.h"
#include "kube/pods/back_off.h"
#include "kube/pods/container_life.h"
#include "kube/pods/pod_record.h"
#include "kube/pods/pod_report.h"
#include "kube/pods/probe.h"

namespace flox::kube {

inline constexpr std::chrono::milliseconds busy_interval{200};   // while something is about to happen
inline constexpr std::chrono::milliseconds calm_interval{1000};  // as often the kubelet looks for dead ones

// Where a pod's containers run.
struct PodSandbox {
  std::string id;  // empty: there is none
  SandboxConfig config;
  std::map<std::string, std::string> volumes;  // each volume's directory, by its name
};

// What the pod expects of a container.
enum class Outlook { not_ended, succeeded, failed };

class ContainerDriver {
 public:
  // `container` and `status` are the driven one's in `record` and `report`. All but `wake` outlive the
  // object; `wake` is called from the probes' threads when the next step should come at once.
  ContainerDriver(const Container& container, bool init, ContainerStatus& status, const PodRecord& record,
                  const PodWorld& world, const PodSandbox& sandbox, PodReport& report,
                  std::function<void()> wake);

  const std::string& name() const { return container_.name; }
  // Does what is to be done now; `found` is the newest container that the runtime has of it, or null.
  // Shortens `next`, how long the next step can wait at most. Throws Error.
  Outlook step(const ContainerInfo* found, std::chrono::milliseconds& next);
  // It is gone, with its sandbox or alone.
  void lost();
  void stop_probes() { probes_.reset(); }
  // Takes the found container, which does not run, as its last if it is not to be started again.
  Outlook take_end(const ContainerInfo& found);

 private:
  using Time = BackOff::Time;

  void happens(ContainerEvent event);
  bool may_restart(int exit_code) const;
  const ContainerInfo& end_of(const ContainerInfo& found);
  void show_end(const ContainerInfo& end);
  // Starts the container unless it has to wait. `previous` is the one that ended or that was never started.
  void start(const ContainerInfo* previous, std::chrono::milliseconds& next);
  void show_back_off();
  void create_and_start(unsigned attempt, const std::string& previous);
  ContainerConfig make_config(unsigned attempt, const ImageInfo& image) const;
  std::filesystem::path log_directory() const;
  void fail_start(const std::string& reason, const std::string& message);
  void watch(const ContainerInfo& found, std::chrono::milliseconds& next);
  void keep_log_small(const ContainerInfo& found);

  const Container& container_;
  const bool init_;
  ContainerStatus& status_;
  const PodRecord& record_;
  const PodWorld& world_;
  const PodSandbox& sandbox_;
  PodReport& report_;
  std::function<void()> wake_;
  std::string first_reason_;  // why it waits before anything has happened
  ContainerLife life_ = ContainerLife::waiting;
  BackOff back_off_;
  Time start_failed_at_{};
  std::string ended_id_;  // of this container `ended_` tells the end
  ContainerInfo ended_;
  Time log_failed_at_{};                     // when its log could not be rotated
  std::unique_ptr<ContainerProbes> probes_;  // of the one that runs
};

}  // namespace flox::kube
