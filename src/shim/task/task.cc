#include "shim/task/task.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/os/directory.h"
#include "oci/mount.h"
#include "oci/runtime_spec.h"
#include "shim/cgroup/cgroup_migration.h"
#include "shim/imageless/annotations.h"
#include "shim/imageless/mutable_nix.h"
#include "shim/io/diary.h"
#include "shim/protocol/time.h"
#include "shim/runtime/oci_runtime.h"
#include "shim/runtime/pause_runtime.h"
#include "shim/task/checkpoint.h"
#include "ttrpc/status.h"

namespace flox::shim {

using ttrpc::Code;
using ttrpc::fail_status;

namespace {

// What a client sees of stdio left open by grandchildren after the process has ended.
constexpr Milliseconds drain_limit{10'000};

StdioPaths stdio_of(const wire::CreateTaskRequest& request) {
  return {request.stdin(), request.stdout(), request.stderr(), request.terminal()};
}

}  // namespace

Task::Task(World world, const wire::CreateTaskRequest& request, RuntimeOptions options)
    : world_(std::move(world)),
      id_(request.id()),
      bundle_(request.bundle()),
      options_(std::move(options)),
      init_(std::make_shared<TaskProcess>(id_, stdio_owner(), stdio_of(request))),
      execs_idle_(std::make_shared<Event>(world_.executor)) {
  if (!request.checkpoint().empty()) restore_from_ = restore_of(request, options_);
}

Stdio::Owner Task::stdio_owner() const {
  return {world_.executor, world_.children, world_.namespace_name, id_, options_.io_uid, options_.io_gid};
}

// --- create

asio::awaitable<std::shared_ptr<Task>> Task::create(World world, wire::CreateTaskRequest request,
                                                    Milliseconds limit) {
  RuntimeOptions options = RuntimeOptions::decode(request.options());
  std::shared_ptr<Task> task(new Task(world, request, std::move(options)));
  std::exception_ptr failure;
  try {
    co_await task->create_init(request, limit);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    co_await task->undo_create();
    std::rethrow_exception(failure);
  }
  wire::TaskCreate event;
  event.set_container_id(task->id_);
  event.set_bundle(task->bundle_);
  *event.mutable_rootfs() = request.rootfs();
  event.mutable_io()->set_stdin(request.stdin());
  event.mutable_io()->set_stdout(request.stdout());
  event.mutable_io()->set_stderr(request.stderr());
  event.mutable_io()->set_terminal(request.terminal());
  event.set_checkpoint(request.checkpoint());
  event.set_pid(static_cast<uint32_t>(task->init_->pid));
  world.publisher.publish("/tasks/create", "containerd.events.TaskCreate", event);
  if (task->init_->exit)
    asio::co_spawn(
        world.executor, [task] { return task->watch_init(); }, asio::detached);
  co_return task;
}

asio::awaitable<void> Task::create_init(const wire::CreateTaskRequest& request, Milliseconds limit) {
  const auto begin = std::chrono::steady_clock::now();
  auto left = [&] {
    return limit - std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - begin);
  };
  expect_cgroup_migration();
  options_.save(bundle_);
  oci::RuntimeSpec spec = oci::RuntimeSpec::load(fs::path(bundle_) / "config.json");
  own_pid_namespace_ = spec.has_own_pid_namespace();
  const bool sandbox = co_await create_sandbox(spec);
  if (sandbox) co_return;
  runtime_ = std::make_unique<OciRuntime>(world_.children, options_, world_.namespace_name, id_, bundle_);
  mount_root(request);
  co_await prepare_environment(spec, limit);
  co_await init_->stdio.open();
  if (restore_from_) co_return;
  Children::ReapingRecord record(world_.children);
  const pid_t pid = co_await runtime_->create(init_->stdio, left());
  adopt_init(pid);
  detach_nix();  // the container has its own mount of it
  if (left() < Milliseconds::zero())
    fail_status(Code::deadline_exceeded, "creating container {} took longer than the {} ms that were given",
                id_, limit.count());
}

asio::awaitable<bool> Task::create_sandbox(const oci::RuntimeSpec& spec) {
  const StdioPaths& streams = init_->stdio.paths();
  if (restore_from_ || streams.terminal || !(streams.in + streams.out + streams.err).empty()) co_return false;
  runtime_ = PauseRuntime::for_sandbox(spec, options_, world_.executor, bundle_);
  if (!runtime_) co_return false;
  Children::ReapingRecord record(world_.children);
  std::string trouble;
  try {
    const pid_t pid = co_await runtime_->create(init_->stdio, Milliseconds::max());
    adopt_init(pid);
    co_return true;
  } catch (const std::exception& error) {
    trouble = message_of(error);
  }
  diary("the OCI runtime is to make the sandbox {} instead: {}", id_, trouble);
  co_await runtime_->remove(true);
  co_return false;
}

void Task::mount_root(const wire::CreateTaskRequest& request) {
  if (request.rootfs_size() == 0) return;
  std::vector<oci::Mount> mounts;
  for (const wire::Mount& mount : request.rootfs())
    mounts.push_back(
        {mount.type(), mount.source(), mount.target(), {mount.options().begin(), mount.options().end()}});
  const fs::path root = fs::path(bundle_) / "rootfs";
  Directory(bundle_).make_directory("rootfs", 0711);
  mounted_ = true;
  oci::mount_all(mounts, root);
}

asio::awaitable<void> Task::prepare_environment(oci::RuntimeSpec& spec, Milliseconds limit) {
  // Of ordinary containers, too: with a typo in flox.dev/environment a container would run without it. A
  // pod's sandbox bears its annotations as well, but an error of the sandbox is read by nobody who looks at
  // the container.
  if (!is_sandbox(spec)) check_annotations(spec);
  if (!is_imageless(spec)) co_return;
  imageless_ = true;
  Directory(bundle_).write_file(lease_file().filename().string(), id_, 0600);
  activation_ = co_await world_.imageless.prepare(id_, spec, bundle_, limit);
  spec.save(fs::path(bundle_) / "config.json");
}

asio::awaitable<void> Task::undo_create() {
  init_->stdio.close();
  try {
    if (runtime_) co_await runtime_->remove(true);
  } catch (const std::exception& error) {
    diary("undoing the creation of {}: {}", id_, message_of(error));
  }
  detach_nix();
  unmount_root();
  co_await release_environment();
}

// The runtime has made init: it is our child, and its streams are open.
void Task::adopt_init(pid_t pid) {
  init_->pid = pid;
  init_->exit = world_.children.adopt(pid);
  init_->stdio.begin();
  try {
    cgroup_ = Cgroup::of_process(pid);
    cgroup_->enable_controllers();
  } catch (const Error& error) {  // it is gone already
    diary_debug("no cgroup of {}: {}", id_, error.what());
  }
  watch_memory();
}

void Task::watch_memory() {
  if (!cgroup_) return;
  try {
    oom_ = std::make_unique<OomWatch>(world_.executor, *cgroup_,
                                      [this] { publish_notice("/tasks/oom", "containerd.events.TaskOOM"); });
  } catch (const Error& error) {
    diary("cannot watch {} for memory shortage: {}", id_, error.what());
  }
}

// --- looking up

std::shared_ptr<TaskProcess> Task::process(const std::string& exec_id) const {
  if (exec_id.empty()) return init_;
  auto found = execs_.find(exec_id);
  if (found == execs_.end())
    fail_status(Code::not_found, "process {} in container {}: not found", exec_id, id_);
  return found->second;
}

wire::TaskStatus Task::status(const TaskProcess& process) const {
  if (process.deleted || process.stopped()) return wire::STOPPED;
  if (pausing_) return wire::PAUSING;
  if (paused_) return wire::PAUSED;
  return process.started ? wire::RUNNING : wire::CREATED;
}

// --- start

asio::awaitable<pid_t> Task::start(std::string exec_id) {
  auto self = shared_from_this();
  auto wanted = process(exec_id);
  auto guard = co_await wanted->mutex.lock();
  if (wanted->deleted) fail_status(Code::unknown, "cannot start a deleted process");
  if (wanted->exited())
    fail_status(exec_id.empty() ? Code::failed_precondition : Code::unknown,
                "cannot start a stopped process");
  if (wanted->started) fail_status(Code::unknown, "cannot start a running process");
  if (exec_id.empty())
    co_await start_init();
  else
    co_await start_exec(wanted);
  co_return wanted->pid;
}

asio::awaitable<void> Task::start_init() {
  if (restore_from_)
    co_await restore_init();
  else
    co_await runtime_->start();
  init_->started = true;
  wire::TaskStart event;
  event.set_container_id(id_);
  event.set_pid(static_cast<uint32_t>(init_->pid));
  world_.publisher.publish("/tasks/start", "containerd.events.TaskStart", event);
}

asio::awaitable<void> Task::restore_init() {
  Children::ReapingRecord record(world_.children);
  const pid_t pid = co_await runtime_->restore(init_->stdio, *restore_from_);
  adopt_init(pid);
  asio::co_spawn(
      world_.executor, [self = shared_from_this()] { return self->watch_init(); }, asio::detached);
}

asio::awaitable<void> Task::start_exec(std::shared_ptr<TaskProcess> process) {
  if (init_exited_ || init_->exited())
    fail_status(Code::failed_precondition, "container {} init process is not running", id_);
  if (process->failed) fail_status(Code::unknown, "process {} could not be started before", process->id);
  if (active_execs_++ == 0) execs_idle_ = std::make_shared<Event>(world_.executor);
  std::exception_ptr failure;
  try {
    co_await launch_exec(process);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    process->failed = true;
    process->stdio.close();
    process->finished.set();
    exec_ended();
    std::rethrow_exception(failure);
  }
  process->started = true;
  wire::TaskExecStarted event;
  event.set_container_id(id_);
  event.set_exec_id(process->id);
  event.set_pid(static_cast<uint32_t>(process->pid));
  world_.publisher.publish("/tasks/exec-started", "containerd.events.TaskExecStarted", event);
  asio::co_spawn(
      world_.executor, [self = shared_from_this(), process] { return self->watch_exec(process); },
      asio::detached);
}

asio::awaitable<void> Task::launch_exec(std::shared_ptr<TaskProcess> process) {
  co_await process->stdio.open();
  Children::ReapingRecord record(world_.children);
  process->pid = co_await runtime_->exec(process->id, *process->spec, process->stdio);
  process->exit = world_.children.adopt(process->pid);
  process->stdio.begin();
}

void Task::add_exec(const wire::ExecProcessRequest& request) {
  if (!is_file_name(request.exec_id()))  // its files in the bundle bear it
    fail_status(Code::invalid_argument, "\"{}\" cannot be the id of a process", request.exec_id());
  if (execs_.contains(request.exec_id()))
    fail_status(Code::already_exists, "id {} is in use", request.exec_id());
  if (init_->stopped()) fail_status(Code::failed_precondition, "cannot exec in a stopped container");
  if (paused_ || pausing_) fail_status(Code::failed_precondition, "cannot exec in a paused container");
  oci::ProcessSpec spec = oci::ProcessSpec::parse(request.spec().value());
  spec.set_terminal(request.terminal());
  if (activation_) spec.set_env(activation_->merged(spec.env()));
  StdioPaths paths{request.stdin(), request.stdout(), request.stderr(), request.terminal()};
  auto process = std::make_shared<TaskProcess>(request.exec_id(), stdio_owner(), std::move(paths));
  process->spec = std::move(spec);
  execs_[request.exec_id()] = process;
  expect_cgroup_migration();  // Start follows within milliseconds
  wire::TaskExecAdded event;
  event.set_container_id(id_);
  event.set_exec_id(request.exec_id());
  world_.publisher.publish("/tasks/exec-added", "containerd.events.TaskExecAdded", event);
}

// --- the end of processes

void Task::publish_exit(const TaskProcess& process) const {
  wire::TaskExit event;
  event.set_container_id(id_);
  event.set_id(process.id);
  event.set_pid(static_cast<uint32_t>(process.pid));
  event.set_exit_status(static_cast<uint32_t>(process.exit->status));
  *event.mutable_exited_at() = timestamp_of(process.exit->at);
  world_.publisher.publish("/tasks/exit", "containerd.events.TaskExit", event);
}

void Task::exec_ended() {
  if (--active_execs_ == 0) execs_idle_->set();
}

asio::awaitable<void> Task::watch_exec(std::shared_ptr<TaskProcess> process) {
  co_await process->exit->happened.wait();
  publish_exit(*process);
  process->finished.set();
  exec_ended();
}

// The exit of init is told last: after that of all execs, and not before Start has told the start.
asio::awaitable<void> Task::watch_init() {
  co_await init_->exit->happened.wait();
  init_exited_ = true;
  auto guard = co_await init_->mutex.lock();
  if (!own_pid_namespace_) {  // else the kernel has killed the others
    try {
      co_await runtime_->kill(SIGKILL, true);
    } catch (const std::exception& error) {
      diary_debug("{}: {}", id_, message_of(error));
    }
  }
  if (std::exchange(paused_, false)) {  // what is left in the cgroup must be able to die
    try {
      co_await runtime_->resume();
    } catch (const std::exception& error) {
      diary_debug("{}: {}", id_, message_of(error));
    }
  }
  while (active_execs_ > 0) {
    std::shared_ptr<Event> idle = execs_idle_;
    co_await idle->wait();
  }
  if (oom_) oom_->check();
  oom_.reset();
  publish_exit(*init_);
  init_->finished.set();
}

asio::awaitable<void> Task::kill(std::string exec_id, uint32_t signal, bool all) {
  auto self = shared_from_this();
  auto target = process(exec_id);
  const bool init = exec_id.empty();
  if (target->deleted || target->exited()) fail_status(Code::not_found, "process already finished");
  if (!init && target->pid == 0) fail_status(Code::failed_precondition, "process not created");
  if (init && (all || paused_)) {  // the runtime knows the cgroup, and thaws it for a SIGKILL
    co_await runtime_->kill(signal, all);
    co_return;
  }
  // Our child, and not reaped yet: the pid cannot mean another process.
  if (::kill(target->pid, static_cast<int>(signal)) == 0) co_return;
  if (errno == ESRCH) fail_status(Code::not_found, "process already finished");
  fail_status(Code::unknown, "sending signal {} to process {}: {}", signal, target->pid,
              std::strerror(errno));
}

// --- pause, resume, update, numbers

asio::awaitable<void> Task::pause() {
  auto self = shared_from_this();
  auto guard = co_await init_->mutex.lock();
  if (paused_ || !init_->running())
    fail_status(Code::unknown, "cannot pause a container that is not running");
  pausing_ = true;
  std::exception_ptr failure;
  try {
    co_await runtime_->pause();
  } catch (...) {
    failure = std::current_exception();
  }
  pausing_ = false;
  if (failure) std::rethrow_exception(failure);
  paused_ = true;
  publish_notice("/tasks/paused", "containerd.events.TaskPaused");
}

asio::awaitable<void> Task::resume() {
  auto self = shared_from_this();
  auto guard = co_await init_->mutex.lock();
  if (!paused_) fail_status(Code::unknown, "cannot resume a container that is not paused");
  co_await runtime_->resume();
  paused_ = false;
  publish_notice("/tasks/resumed", "containerd.events.TaskResumed");
}

asio::awaitable<void> Task::update(std::string resources_json) {
  auto self = shared_from_this();
  auto guard = co_await init_->mutex.lock();
  if (init_->deleted || init_->exited()) fail_status(Code::unknown, "cannot update a stopped container");
  co_await runtime_->update(std::move(resources_json));
}

asio::awaitable<void> Task::checkpoint(wire::CheckpointTaskRequest request) {
  auto self = shared_from_this();
  auto guard = co_await init_->mutex.lock();
  if (!init_->running()) fail_status(Code::unknown, "cannot checkpoint a container that is not running");
  co_await runtime_->checkpoint(checkpoint_of(request, bundle_));
  wire::TaskCheckpointed event;
  event.set_container_id(id_);
  event.set_checkpoint(request.path());
  world_.publisher.publish("/tasks/checkpointed", "containerd.events.TaskCheckpointed", event);
}

asio::awaitable<std::vector<std::pair<pid_t, std::string>>> Task::pids() {
  auto self = shared_from_this();
  const std::vector<pid_t> pids = co_await runtime_->processes();
  std::vector<std::pair<pid_t, std::string>> list;
  for (pid_t pid : pids) {
    std::string exec_id;
    for (const auto& [id, process] : execs_)
      if (process->running() && process->pid == pid) exec_id = id;
    list.emplace_back(pid, exec_id);
  }
  co_return list;
}

wire::Any Task::stats() const {
  if (!cgroup_) fail_status(Code::not_found, "cgroup does not exist");
  return cgroup_->stats();
}

// --- delete

asio::awaitable<wire::DeleteResponse> Task::remove(std::string exec_id) {
  auto self = shared_from_this();
  auto target = process(exec_id);
  const bool init = exec_id.empty();
  {
    if (init && target->started && !target->exited())
      fail_status(Code::unknown, "cannot delete a running process");
    if (!init && target->running()) fail_status(Code::unknown, "cannot delete a running process");
    // A dying init holds the mutex until its exit is told.
    auto guard = co_await target->mutex.lock();
    if (target->deleted) fail_status(Code::not_found, "process {} not found", target->id);
    co_await target->stdio.drain(target->pid > 0 && target->exited() ? drain_limit : Milliseconds(0));
    if (init) co_await remove_init();
    target->deleted = true;
    target->stdio.close();
  }
  if (init && target->exit) co_await target->finished.wait();
  wire::DeleteResponse response;
  response.set_pid(static_cast<uint32_t>(target->pid));
  if (target->exit && target->exit->happened.is_set()) {
    response.set_exit_status(static_cast<uint32_t>(target->exit->status));
    *response.mutable_exited_at() = timestamp_of(target->exit->at);
  } else {
    *response.mutable_exited_at() = never();
  }
  if (!init) {
    ::unlink((fs::path(bundle_) / (exec_id + ".pid")).c_str());
    target->finished.set();
    execs_.erase(exec_id);
    co_return response;
  }
  wire::TaskDelete event;
  event.set_container_id(id_);
  event.set_pid(response.pid());
  event.set_exit_status(response.exit_status());
  *event.mutable_exited_at() = response.exited_at();
  world_.publisher.publish("/tasks/delete", "containerd.events.TaskDelete", event);
  co_return response;
}

asio::awaitable<void> Task::release_environment() {
  if (!imageless_) co_return;
  const bool released = co_await world_.imageless.release(id_);
  if (released) ::unlink(lease_file().c_str());
}

asio::awaitable<void> Task::remove_init() {
  co_await runtime_->remove(false);
  detach_nix();  // still attached after a restore
  unmount_root();
  co_await release_environment();
}

void Task::detach_nix() {
  if (!imageless_) return;
  try {
    detach_mutable_nix(bundle_);
  } catch (const Error& error) {
    diary("taking away the /nix of {}: {}", id_, error.what());  // `delete` tries again
  }
}

void Task::unmount_root() {
  if (!mounted_) return;
  try {
    oci::unmount_all(fs::path(bundle_) / "rootfs");
  } catch (const Error& error) {
    diary("unmounting the root of {}: {}", id_, error.what());  // containerd tries again
  }
}

void Task::publish_notice(const char* topic, const char* type) const {
  wire::TaskNotice event;
  event.set_container_id(id_);
  world_.publisher.publish(topic, type, event);
}

}  // namespace flox::shim
