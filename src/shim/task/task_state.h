// The lives of a container's processes, as tables, and what clients are shown of them.
//
// A process, init or exec (docs/formats/shim.md). A task's life is that of its init.
//
//   created --started--> running --exited--> exited --exit_published--> stopped --removed--> deleted
//    |  |                                     ^                          ^
//    |  '----exited---> aborted --started-----'                          |
//    |                   |  '------exit_published------------------------'
//    '--launch_failed----+--launch_failed--> failed
//
// Whatever does not run can be removed: created, aborted, exited and failed go to deleted as stopped does. In
// failed, "exited" changes nothing; in deleted, neither does "exit_published".
//
// The container as a whole, whose processes are paused together:
//
//   active --pause--> pausing --paused--> paused --resumed--> active
//      ^                 |
//      '--pause_failed---'
#pragma once

#include "base/transitions.h"
#include "shim/protocol/task.pb.h"

namespace flox::shim {

enum class ProcessState {
  created,  // init waits for its start; of an exec nothing is made yet
  running,
  aborted,  // it ended before its start was told; its end is not told yet
  exited,   // it ended; its end is not told yet
  stopped,  // its end is told: clients are shown it only then
  failed,   // an exec that could not be launched, and never will
  deleted,
};

enum class ProcessEvent { started, launch_failed, exited, exit_published, removed };

enum class PauseState { active, pausing, paused };

enum class PauseEvent { pause, paused, pause_failed, resumed };

// What an error calls them.
const char* word(ProcessState state) noexcept;
const char* word(ProcessEvent event) noexcept;
const char* word(PauseState state) noexcept;
const char* word(PauseEvent event) noexcept;

using ProcessTransition = Transition<ProcessState, ProcessEvent>;
inline constexpr ProcessTransition process_life[] = {
    {ProcessState::created, ProcessEvent::started, ProcessState::running},
    {ProcessState::created, ProcessEvent::exited, ProcessState::aborted},
    {ProcessState::created, ProcessEvent::launch_failed, ProcessState::failed},
    {ProcessState::created, ProcessEvent::removed, ProcessState::deleted},
    {ProcessState::running, ProcessEvent::exited, ProcessState::exited},
    {ProcessState::aborted, ProcessEvent::started, ProcessState::exited},
    {ProcessState::aborted, ProcessEvent::launch_failed, ProcessState::failed},
    {ProcessState::aborted, ProcessEvent::exit_published, ProcessState::stopped},
    {ProcessState::aborted, ProcessEvent::removed, ProcessState::deleted},
    {ProcessState::exited, ProcessEvent::exit_published, ProcessState::stopped},
    {ProcessState::exited, ProcessEvent::removed, ProcessState::deleted},
    {ProcessState::stopped, ProcessEvent::removed, ProcessState::deleted},
    {ProcessState::failed, ProcessEvent::exited, ProcessState::failed},
    {ProcessState::failed, ProcessEvent::removed, ProcessState::deleted},
    {ProcessState::deleted, ProcessEvent::exited, ProcessState::deleted},
    {ProcessState::deleted, ProcessEvent::exit_published, ProcessState::deleted},
};

using PauseTransition = Transition<PauseState, PauseEvent>;
inline constexpr PauseTransition pause_life[] = {
    {PauseState::active, PauseEvent::pause, PauseState::pausing},
    {PauseState::pausing, PauseEvent::paused, PauseState::paused},
    {PauseState::pausing, PauseEvent::pause_failed, PauseState::active},
    {PauseState::paused, PauseEvent::resumed, PauseState::active},
};

// The kernel has ended the process, or it is gone altogether.
bool has_ended(ProcessState state) noexcept;

// What the State call answers of a process in a container.
wire::TaskStatus status_of(ProcessState process, PauseState container) noexcept;

}  // namespace flox::shim
