#include "kube/pods/container_life.h"

namespace flox::kube {

const char* word(ContainerLife life) noexcept {
  switch (life) {
    case ContainerLife::waiting:
      return "waiting";
    case ContainerLife::start_failed:
      return "start failed";
    case ContainerLife::running:
      return "running";
    case ContainerLife::crashed:
      return "crashed";
    case ContainerLife::ended:
      return "ended";
  }
  return "?";
}

const char* word(ContainerEvent event) noexcept {
  switch (event) {
    case ContainerEvent::started:
      return "started";
    case ContainerEvent::start_failed:
      return "start failed";
    case ContainerEvent::crashed:
      return "crashed";
    case ContainerEvent::ended:
      return "ended";
    case ContainerEvent::lost:
      return "lost";
  }
  return "?";
}

RunState run_state_of(ContainerLife life) noexcept {
  if (life == ContainerLife::running) return RunState::running;
  return life == ContainerLife::ended ? RunState::terminated : RunState::waiting;
}

}  // namespace flox::kube
