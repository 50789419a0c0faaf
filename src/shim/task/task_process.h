// One process of a container, init or exec: its life, what is known of it, and where its streams go.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "oci/runtime_spec.h"
#include "shim/io/stdio.h"
#include "shim/process/children.h"
#include "shim/process/waiting.h"
#include "shim/task/task_state.h"

namespace flox::shim {

class TaskProcess : public std::enable_shared_from_this<TaskProcess> {
 public:
  TaskProcess(std::string process_id, Stdio::Owner owner, StdioPaths paths)
      : id(std::move(process_id)),
        stdio(owner, std::move(paths)),
        mutex(owner.executor),
        finished(owner.executor) {}

  ProcessState state() const noexcept { return state_; }
  // Moves on to the next state. Throws Error(internal) for what cannot happen now. Nobody tells of an exit
  // but this object itself.
  void happens(ProcessEvent event);
  // The OCI runtime has made the process. From now on its exit moves it to the next state by itself, as soon
  // as it is reaped.
  void adopt(Children& children, pid_t process_id);
  // An exec that came to nothing: what was made of it is killed, and has no exit that anybody waits for.
  void launch_failed();
  // Its end; nothing while it has none.
  const Exit* ended() const noexcept { return exit && exit->happened.is_set() ? exit.get() : nullptr; }

  const std::string id;  // the container's for init
  Stdio stdio;
  Mutex mutex;                           // held while something is done to the process that takes time
  pid_t pid = 0;                         // 0: it is not made yet
  std::shared_ptr<Exit> exit;            // from when the pid is known
  Event finished;                        // its exit is published, or it never can run
  std::optional<oci::ProcessSpec> spec;  // of an exec

 private:
  ProcessState state_ = ProcessState::created;
};

}  // namespace flox::shim
