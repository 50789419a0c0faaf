// A container and its processes: what happens to them, independent of the RPCs that ask for it.
//
//   init: created → running ⇄ paused → stopped → deleted        exec: created → running → stopped → deleted
//
// Everything runs on the shim's one thread; coroutines of one process exclude each other with its mutex.
// Errors are ttrpc::StatusError with containerd's codes (shim.md 3).
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "oci/mount.h"
#include "oci/runtime.h"
#include "oci/runtime_spec.h"
#include "shim/cgroup.h"
#include "shim/children.h"
#include "shim/imageless.h"
#include "shim/options.h"
#include "shim/publisher.h"
#include "shim/stdio.h"
#include "shim/task.pb.h"

namespace flox::shim {

// What all tasks of the shim share.
struct World {
  Executor executor;
  Children& children;
  Publisher& publisher;
  Imageless& imageless;
  std::string namespace_name;
};

// One process of a container, init or exec.
struct TaskProcess {
  TaskProcess(const World& world, std::string process_id, StdioPaths paths, const RuntimeOptions& options,
              const std::string& container_id);

  bool running() const { return started && pid > 0 && !stopped(); }
  bool stopped() const { return exit && exit->happened.is_set(); }

  std::string id;  // the container's for init
  Stdio stdio;
  Mutex mutex;
  pid_t pid = 0;
  std::shared_ptr<Exit> exit;  // from when the pid is known
  Event finished;              // its exit is published, or it never can run
  bool started = false;
  bool failed = false;  // an exec that could not be started
  bool deleted = false;
  std::optional<oci::ProcessSpec> spec;  // of an exec
};

class Task : public std::enable_shared_from_this<Task> {
 public:
  // Mounts the root, prepares an imageless container, and runs `runc create`. Publishes TaskCreate. On
  // failure all is undone.
  static asio::awaitable<std::shared_ptr<Task>> create(World world, wire::CreateTaskRequest request);

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
  // pid and exec id (empty: not an exec's own process) of each.
  asio::awaitable<std::vector<std::pair<pid_t, std::string>>> pids();
  wire::Any stats() const;
  // Ends the process for good: runc delete, unmount, TaskDelete. The caller forgets the task if it was init.
  asio::awaitable<wire::DeleteResponse> remove(std::string exec_id);

 private:
  Task(World world, const wire::CreateTaskRequest& request, RuntimeOptions options);

  asio::awaitable<void> create_init(const wire::CreateTaskRequest& request);
  asio::awaitable<void> undo_create();
  asio::awaitable<std::optional<Activation>> prepare_spec();
  asio::awaitable<void> start_init();
  asio::awaitable<void> start_exec(std::shared_ptr<TaskProcess> process);
  asio::awaitable<void> launch_exec(std::shared_ptr<TaskProcess> process);
  asio::awaitable<void> remove_init();
  asio::awaitable<void> release_environment();
  // Stands as long as floxd may hold a lease: tells `delete` to give it back.
  fs::path lease_file() const { return fs::path(bundle_) / "flox.lease"; }
  asio::awaitable<void> watch_init();
  asio::awaitable<void> watch_exec(std::shared_ptr<TaskProcess> process);
  void watch_memory();
  void exec_ended();

  // Runs a command of the OCI runtime whose output does not matter; throws its error with `what` in front.
  asio::awaitable<void> run_runtime(oci::Argv argv, std::string what, std::string input = std::string());
  // The same for create and exec, whose stdio is the container's.
  asio::awaitable<void> run_with_stdio(oci::Argv argv, const Stdio& stdio, std::string what);
  [[noreturn]] void fail_runtime(const std::string& what, const std::string& output) const;
  pid_t read_pid(const fs::path& file) const;
  void publish_exit(const TaskProcess& process) const;

  World world_;
  std::string id_;
  std::string bundle_;
  RuntimeOptions options_;
  oci::Runtime runtime_;
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
