// Health probes of running containers: when they run, what they do, and how their results are counted.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/transitions.h"
#include "kube/cri/cri.h"
#include "kube/reading/objects.h"

namespace flox::kube {

struct ProbeResult {
  bool success = false;
  std::string message;  // why not, as Kubernetes words it in its events
};

// Counts results against the thresholds of a probe: the answer changes only after enough equal results in a
// row.
class ProbeCounter {
 public:
  ProbeCounter(const Probe& probe, bool initially) : probe_(probe), healthy_(initially) {}
  // Takes one result; true if the answer has changed, or if a failing probe has reached its threshold again.
  bool take(bool success);
  bool healthy() const { return healthy_; }

 private:
  const Probe& probe_;
  bool healthy_;
  int streak_ = 0;
  bool last_ = false;
};

// Where a container's probes go.
struct ProbeTarget {
  std::string container_id;
  std::string ip;                    // the pod's
  std::vector<ContainerPort> ports;  // for ports given by name
};

// Runs a probe once, within its timeout. Never throws: what goes wrong is a failed result.
ProbeResult run_probe(const Probe& probe, const ProbeTarget& target, Cri& cri);

// What a running container's probes have found, as a table:
//
//   starting --startup_succeeded--> started --liveness_failed--> restart_wanted
//      |                                                              ^
//      '--startup_failed----------------------------------------------'
//
// Liveness may fail again while the restart is on its way.
enum class ProbedLife { starting, started, restart_wanted };

enum class ProbeEvent { startup_succeeded, startup_failed, liveness_failed };

// What an error calls them.
const char* word(ProbedLife life) noexcept;
const char* word(ProbeEvent event) noexcept;

inline constexpr Transition<ProbedLife, ProbeEvent> probed_life[] = {
    {ProbedLife::starting, ProbeEvent::startup_succeeded, ProbedLife::started},
    {ProbedLife::starting, ProbeEvent::startup_failed, ProbedLife::restart_wanted},
    {ProbedLife::started, ProbeEvent::liveness_failed, ProbedLife::restart_wanted},
    {ProbedLife::restart_wanted, ProbeEvent::liveness_failed, ProbedLife::restart_wanted},
};

// The probes of one running container, one thread each, until the object goes. As Kubernetes: readiness and
// liveness wait for the startup probe; a container without a readiness probe is ready once it has started; a
// failed liveness or startup probe asks for a restart.
class ContainerProbes {
 public:
  // `container` and `cri` must outlive the object. `changed` is called from the probes' threads.
  ContainerProbes(const Container& container, ProbeTarget target, Cri& cri, std::function<void()> changed);
  ~ContainerProbes();

  bool ready() const { return life_ == ProbedLife::started && ready_; }
  bool restart_wanted() const { return life_ == ProbedLife::restart_wanted; }
  // Of the probe that wants the restart: how long the container may take to end. None: as long as the pod
  // says.
  std::optional<seconds> failed_grace() const;
  // What failed since the last call: "Liveness probe failed: …".
  std::vector<std::string> take_failures();

 private:
  enum class Kind { startup, liveness, readiness };
  void start(Kind kind, const Probe& probe);
  void run(std::stop_token stop, Kind kind, const Probe& probe);
  void decide(Kind kind, bool healthy, const Probe& probe);
  void happens(ProbeEvent event);
  // False if the object is going.
  bool pause(std::stop_token stop, std::chrono::milliseconds time);
  bool wait_until_started(std::stop_token stop);

  ProbeTarget target_;
  Cri& cri_;
  std::function<void()> changed_;
  std::atomic<ProbedLife> life_;
  std::atomic<bool> ready_;  // as the readiness probe found it last
  mutable std::mutex mutex_;
  std::optional<seconds> failed_grace_;
  std::condition_variable_any wake_;
  std::vector<std::string> failures_;
  std::vector<std::jthread> threads_;  // last: they end before the rest goes
};

}  // namespace flox::kube
