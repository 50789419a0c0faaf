#include "shim/task/task_events.h"

#include "shim/protocol/time.h"

namespace flox::shim {

void TaskEvents::created(const wire::CreateTaskRequest& request, pid_t pid) const {
  wire::TaskCreate event;
  event.set_container_id(id_);
  event.set_bundle(request.bundle());
  *event.mutable_rootfs() = request.rootfs();
  event.mutable_io()->set_stdin(request.stdin());
  event.mutable_io()->set_stdout(request.stdout());
  event.mutable_io()->set_stderr(request.stderr());
  event.mutable_io()->set_terminal(request.terminal());
  event.set_checkpoint(request.checkpoint());
  event.set_pid(static_cast<uint32_t>(pid));
  publisher_.publish("/tasks/create", "containerd.events.TaskCreate", event);
}

void TaskEvents::started(pid_t pid) const {
  wire::TaskStart event;
  event.set_container_id(id_);
  event.set_pid(static_cast<uint32_t>(pid));
  publisher_.publish("/tasks/start", "containerd.events.TaskStart", event);
}

void TaskEvents::exec_added(const std::string& exec_id) const {
  wire::TaskExecAdded event;
  event.set_container_id(id_);
  event.set_exec_id(exec_id);
  publisher_.publish("/tasks/exec-added", "containerd.events.TaskExecAdded", event);
}

void TaskEvents::exec_started(const TaskProcess& process) const {
  wire::TaskExecStarted event;
  event.set_container_id(id_);
  event.set_exec_id(process.id);
  event.set_pid(static_cast<uint32_t>(process.pid));
  publisher_.publish("/tasks/exec-started", "containerd.events.TaskExecStarted", event);
}

void TaskEvents::exited(const TaskProcess& process) const {
  wire::TaskExit event;
  event.set_container_id(id_);
  event.set_id(process.id);
  event.set_pid(static_cast<uint32_t>(process.pid));
  event.set_exit_status(static_cast<uint32_t>(process.exit->status));
  *event.mutable_exited_at() = timestamp_of(process.exit->at);
  publisher_.publish("/tasks/exit", "containerd.events.TaskExit", event);
}

void TaskEvents::out_of_memory() const { notice("/tasks/oom", "containerd.events.TaskOOM"); }
void TaskEvents::paused() const { notice("/tasks/paused", "containerd.events.TaskPaused"); }
void TaskEvents::resumed() const { notice("/tasks/resumed", "containerd.events.TaskResumed"); }

void TaskEvents::checkpointed(const std::string& path) const {
  wire::TaskCheckpointed event;
  event.set_container_id(id_);
  event.set_checkpoint(path);
  publisher_.publish("/tasks/checkpointed", "containerd.events.TaskCheckpointed", event);
}

void TaskEvents::deleted(const wire::DeleteResponse& response) const {
  wire::TaskDelete event;
  event.set_container_id(id_);
  event.set_pid(response.pid());
  event.set_exit_status(response.exit_status());
  *event.mutable_exited_at() = response.exited_at();
  publisher_.publish("/tasks/delete", "containerd.events.TaskDelete", event);
}

void TaskEvents::notice(const char* topic, const char* type) const {
  wire::TaskNotice event;
  event.set_container_id(id_);
  publisher_.publish(topic, type, event);
}

}  // namespace flox::shim
