// A container and its processes: what happens to them, independent of the RPCs that ask for it. Which event
// may follow which stands in task_state.h.
//
// Everything runs on the shim's one thread; coroutines of one process exclude each other with its mutex.
// Errors are ttrpc::StatusError with containerd's codes (docs/formats/shim.md).
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "shim/cgroup/cgroup.h"
#include "shim/imageless/imageless.h"
#include "shim/process/children.h"
#include "shim/process/idle_memory.h"
#include "shim/protocol/task.pb.h"
#include "shim/runtime/container_runtime.h"
#include "shim/runtime/options.h"
#include "shim/sandbox/sandbox.h"
#include "shim/task/leased_environment.h"
#include "shim/task/publisher.h"
#include "shim/task/root_mount.h"
#include "shim/task/task_events.h"
#include "shim/task/task_process.h"
#include "shim/task/task_state.h"

namespace flox::shim {

// What all tasks of the shim share.
struct TaskContext {
  Executor executor;
  Children& children;
  Publisher& publisher;
  Imageless& imageless;
  IdleMemory& idle_memory;
  const Sandbox& sandbox;
  std::string namespace_name;
};

class Task : public std::enable_shared_from_this<Task> {
 public:
  // Mounts the root, prepares an imageless container, and makes it. Publishes TaskCreate. On failure all is
  // undone. A container that is restored from a checkpoint is made by start().
  // What is made later than the client waits is undone, for nobody will ask for it.
  static asio::awaitable<std::shared_ptr<Task>> create(TaskContext context, wire::CreateTaskRequest request,
                                                       CallTerms terms);

  const std::string& id() const noexcept { return id_; }
  const std::string& bundle() const noexcept { return bundle_; }

  // Init if `exec_id` is empty. Throws NotFound.
  std::shared_ptr<TaskProcess> process(const std::string& exec_id) const;
  wire::TaskStatus status(const TaskProcess& process) const { return status_of(process.state(), pause_); }

  asio::awaitable<pid_t> start(std::string exec_id);
  void add_exec(const wire::ExecProcessRequest& request);
  asio::awaitable<void> kill(std::string exec_id, uint32_t signal, bool all);
  asio::awaitable<void> pause();
  asio::awaitable<void> resume();
  asio::awaitable<void> update(std::string resources_json);
  asio::awaitable<void> checkpoint(wire::CheckpointTaskRequest request);
  // pid and exec id (empty: not an exec's own process) of each.
  asio::awaitable<std::vector<std::pair<pid_t, std::string>>> pids();
  wire::Any stats() const;
  // Ends the process for good: runc delete, unmount, TaskDelete. The caller forgets the task if it was init.
  asio::awaitable<wire::DeleteResponse> remove(std::string exec_id);

 private:
  Task(TaskContext context, const wire::CreateTaskRequest& request, RuntimeOptions options);
  Stdio::Owner stdio_owner() const;

  // task_create.cc
  asio::awaitable<void> create_init(const wire::CreateTaskRequest& request, CallTerms terms);
  // True if this is a pod's sandbox that the shim made by itself.
  asio::awaitable<bool> create_sandbox(const oci::RuntimeSpec& spec);
  asio::awaitable<void> undo_create();
  // Init is made: copies its streams and watches its cgroup.
  void begin_init();
  void watch_memory();

  // task_start.cc
  asio::awaitable<void> start_init();
  asio::awaitable<void> restore_init();
  asio::awaitable<void> start_exec(std::shared_ptr<TaskProcess> process);
  asio::awaitable<void> launch_exec(std::shared_ptr<TaskProcess> process);

  // task_end.cc
  void spawn_watch_init();
  asio::awaitable<void> watch_init();
  asio::awaitable<void> watch_exec(std::shared_ptr<TaskProcess> process);
  // What is left in the container without its init must be able to die.
  asio::awaitable<void> end_others();
  asio::awaitable<void> remove_init();

  void happens(PauseEvent event) { pause_ = follow(pause_life, pause_, event, id_); }

  TaskContext context_;
  std::string id_;
  std::string bundle_;
  RuntimeOptions options_;
  std::unique_ptr<ContainerRuntime> runtime_;  // from when the spec is known
  std::optional<oci::Runtime::Checkpoint> restore_from_;
  RootMount root_;
  LeasedEnvironment environment_;
  TaskEvents events_;
  bool own_pid_namespace_ = false;
  PauseState pause_ = PauseState::active;
  std::shared_ptr<TaskProcess> init_;
  std::map<std::string, std::shared_ptr<TaskProcess>> execs_;
  WaitGroup active_execs_;  // starting or running
  std::optional<Cgroup> cgroup_;
  std::unique_ptr<OomWatch> oom_;
};

}  // namespace flox::shim
