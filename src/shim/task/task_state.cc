#include "shim/task/task_state.h"

namespace flox::shim {

const char* word(ProcessState state) noexcept {
  switch (state) {
    case ProcessState::created:
      return "created";
    case ProcessState::running:
      return "running";
    case ProcessState::aborted:
      return "aborted";
    case ProcessState::exited:
      return "exited";
    case ProcessState::stopped:
      return "stopped";
    case ProcessState::failed:
      return "failed";
    case ProcessState::deleted:
      return "deleted";
  }
  return "?";
}

const char* word(ProcessEvent event) noexcept {
  switch (event) {
    case ProcessEvent::started:
      return "started";
    case ProcessEvent::launch_failed:
      return "launch failed";
    case ProcessEvent::exited:
      return "exited";
    case ProcessEvent::exit_published:
      return "exit published";
    case ProcessEvent::removed:
      return "removed";
  }
  return "?";
}

const char* word(PauseState state) noexcept {
  switch (state) {
    case PauseState::active:
      return "active";
    case PauseState::pausing:
      return "pausing";
    case PauseState::paused:
      return "paused";
  }
  return "?";
}

const char* word(PauseEvent event) noexcept {
  switch (event) {
    case PauseEvent::pause:
      return "pause";
    case PauseEvent::paused:
      return "paused";
    case PauseEvent::pause_failed:
      return "pause failed";
    case PauseEvent::resumed:
      return "resumed";
  }
  return "?";
}

bool has_ended(ProcessState state) noexcept {
  switch (state) {
    case ProcessState::aborted:
    case ProcessState::exited:
    case ProcessState::stopped:
    case ProcessState::deleted:
      return true;
    default:
      return false;
  }
}

wire::TaskStatus status_of(ProcessState process, PauseState container) noexcept {
  if (process == ProcessState::stopped || process == ProcessState::deleted) return wire::STOPPED;
  if (container == PauseState::pausing) return wire::PAUSING;
  if (container == PauseState::paused) return wire::PAUSED;
  const bool started = process == ProcessState::running || process == ProcessState::exited;
  return started ? wire::RUNNING : wire::CREATED;
}

}  // namespace flox::shim
