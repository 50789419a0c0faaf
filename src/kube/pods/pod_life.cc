#include "kube/pods/pod_life.h"

namespace flox::kube {

const char* word(PodLife life) noexcept {
  switch (life) {
    case PodLife::pending:
      return "pending";
    case PodLife::running:
      return "running";
    case PodLife::succeeded:
      return "succeeded";
    case PodLife::failed:
      return "failed";
    case PodLife::terminating:
      return "terminating";
    case PodLife::gone:
      return "gone";
  }
  return "?";
}

const char* word(PodEvent event) noexcept {
  switch (event) {
    case PodEvent::container_ran:
      return "container ran";
    case PodEvent::succeeded:
      return "succeeded";
    case PodEvent::failed:
      return "failed";
    case PodEvent::end_asked:
      return "end asked";
    case PodEvent::removed:
      return "removed";
  }
  return "?";
}

void show(PodLife life, PodStatus& status) {
  switch (life) {
    case PodLife::pending:
      status.phase = "Pending";
      break;
    case PodLife::running:
      status.phase = "Running";
      break;
    case PodLife::succeeded:
      status.phase = "Succeeded";
      break;
    case PodLife::failed:
      status.phase = "Failed";
      break;
    case PodLife::terminating:
    case PodLife::gone:
      status.terminating = true;
      break;
  }
}

}  // namespace flox::kube
