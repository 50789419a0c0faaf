#include "shim/task/task_process.h"

#include <signal.h>

namespace flox::shim {

void TaskProcess::happens(ProcessEvent event) {
  state_ = follow(process_life, state_, event, id);
  const bool no_exit_to_come =
      event == ProcessEvent::launch_failed || (event == ProcessEvent::removed && !exit);
  if (event == ProcessEvent::exit_published || no_exit_to_come) finished.set();
}

void TaskProcess::adopt(Children& children, pid_t process_id) {
  pid = process_id;
  exit = children.adopt(pid, [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->happens(ProcessEvent::exited);
  });
}

void TaskProcess::launch_failed() {
  // Not reaped yet: the pid is our child's.
  if (pid > 0 && !ended()) ::kill(pid, SIGKILL);
  pid = 0;
  exit.reset();
  stdio.close();
  happens(ProcessEvent::launch_failed);
}

}  // namespace flox::shim
