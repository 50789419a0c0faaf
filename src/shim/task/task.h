// A container and its processes: what happens to them, independent of the RPCs that ask for it.
//
//   init: created → running ⇄ paused → stopped → deleted        exec: created → running → stopped → deleted
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
#include "shim/task/publisher.h"
#include "shim/task/task_process.h"

namespace flox::shim {

// What all tasks of the shim share.
struct World {
  Executor executor;
  Children& children;
  Publisher& publisher;
  Imageless& imageless;
  IdleMemory& idle_memory;
  std::string namespace_name;
};

class Task : public std::enable_shared_from_this<Task> {
 public:
  // Mounts the root, prepares an imageless container, and makes it. Publishes TaskCreate. On failure all is
  // undone. A container that is restored from a checkpoint is made by start().
  // `limit` is how long the client waits: what is made later than that is undone, for nobody will ask for it.
  static asio::awaitable<std::shared_ptr<Task>> create(World world, wire::CreateTaskRequest request,
                                                       Milliseconds limit);

  const std::string& id() const noexcept { return id_; }
  const std::string& bundle() const noexcept { return bundle_; }

  // Init if `exec_id` is empty. Throws NotFound.
  std::shared_ptr<TaskProcess> process(const std::string& exec_id) const;
  wire::TaskStatus status(const TaskProcess& process) const;

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
  Task(World world, const wire::CreateTaskRequest& request, RuntimeOptions options);

  Stdio::Owner stdio_owner() const;
  asio::awaitable<void> create_init(const wire::CreateTaskRequest& request, Milliseconds limit);
  // True if this is a pod's sandbox that the shim made by itself.
  asio::awaitable<bool> create_sandbox(const oci::RuntimeSpec& spec);
  void mount_root(const wire::CreateTaskRequest& request);
  // Asks floxd for the environment of an imageless container, and edits its spec.
  asio::awaitable<void> prepare_environment(oci::RuntimeSpec& spec, Milliseconds limit);
  asio::awaitable<void> undo_create();
  void adopt_init(pid_t pid);
  void watch_memory();
  asio::awaitable<void> start_init();
  asio::awaitable<void> restore_init();
  asio::awaitable<void> start_exec(std::shared_ptr<TaskProcess> process);
  asio::awaitable<void> launch_exec(std::shared_ptr<TaskProcess> process);
  void exec_ended();
  asio::awaitable<void> watch_init();
  asio::awaitable<void> watch_exec(std::shared_ptr<TaskProcess> process);
  asio::awaitable<void> remove_init();
  void unmount_root();
  // Takes away what an imageless container's /nix was bound from.
  void detach_nix();
  asio::awaitable<void> release_environment();
  // Stands as long as floxd may hold a lease: tells `delete` to give it back.
  fs::path lease_file() const { return fs::path(bundle_) / "flox.lease"; }
  void publish_notice(const char* topic, const char* type) const;
  void publish_exit(const TaskProcess& process) const;

  World world_;
  std::string id_;
  std::string bundle_;
  RuntimeOptions options_;
  std::unique_ptr<ContainerRuntime> runtime_;  // from when the spec is known
  std::optional<oci::Runtime::Checkpoint> restore_from_;
  bool mounted_ = false;    // the root was mounted by us
  bool imageless_ = false;  // floxd holds a lease for it
  bool own_pid_namespace_ = false;
  std::optional<Activation> activation_;
  std::shared_ptr<TaskProcess> init_;
  std::map<std::string, std::shared_ptr<TaskProcess>> execs_;
  int active_execs_ = 0;  // starting or running
  std::shared_ptr<Event> execs_idle_;
  bool init_exited_ = false;  // no new exec may start
  bool paused_ = false;
  bool pausing_ = false;
  std::optional<Cgroup> cgroup_;
  std::unique_ptr<OomWatch> oom_;
};

}  // namespace flox::shim
