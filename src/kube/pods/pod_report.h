// What the driver of a pod says of it: its status and its events.
#pragma once

#include <mutex>
#include <string>

#include "base/error.h"
#include "kube/pods/pod_status.h"
#include "kube/pods/pod_world.h"

namespace flox::kube {

// The status of one pod: the driving thread writes it, others read what was published last.
class PodReport {
 public:
  PodReport(PodStatus initial, const PodWorld& world);

  // Of the driving thread.
  PodStatus& status() { return working_; }
  // Adds an event, to the log, too.
  void event(bool warning, const std::string& reason, const std::string& message);
  // Shows the status to others, if it has changed.
  void publish();

  // For any thread.
  PodStatus published() const;

 private:
  const PodWorld& world_;
  PodStatus working_;
  std::string published_text_;
  mutable std::mutex mutex_;
  PodStatus published_;
};

// An error's text with its advice behind it.
std::string with_advice(const Error& error);

}  // namespace flox::kube
