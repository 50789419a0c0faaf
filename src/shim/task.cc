#include "shim/task.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "shim/diary.h"
#include "shim/time.h"
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

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TaskProcess::TaskProcess(const World& world, std::string process_id, StdioPaths paths,
                         const RuntimeOptions& options, const std::string& container_id)
    : id(std::move(process_id)),
      stdio({world.executor, world.children, world.namespace_name, container_id, options.io_uid,
             options.io_gid},
            std::move(paths)),
      mutex(world.executor),
      finished(world.executor) {}

Task::Task(World world, const wire::CreateTaskRequest& request, RuntimeOptions options)
    : world_(std::move(world)),
      id_(request.id()),
      bundle_(request.bundle()),
      options_(std::move(options)),
      runtime_(options_.runtime(world_.namespace_name, bundle_)),
      init_(std::make_shared<TaskProcess>(world_, id_, stdio_of(request), options_, id_)),
      execs_idle_(std::make_shared<Event>(world_.executor)) {}

// --- create

asio::awaitable<std::shared_ptr<Task>> Task::create(World world, wire::CreateTaskRequest request) {
  if (!request.checkpoint().empty())
    fail_status(Code::unimplemented, "restoring a checkpoint is not supported yet");
  RuntimeOptions options = RuntimeOptions::decode(request.options());
  std::shared_ptr<Task> task(new Task(world, request, std::move(options)));
  std::exception_ptr failure;
  try {
    co_await task->create_init(request);
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
  event.set_pid(static_cast<uint32_t>(task->init_->pid));
  world.publisher.publish("/tasks/create", "containerd.events.TaskCreate", event);
  asio::co_spawn(
      world.executor, [task] { return task->watch_init(); }, asio::detached);
  co_return task;
}

asio::awaitable<void> Task::create_init(const wire::CreateTaskRequest& request) {
  options_.save(bundle_);
  if (request.rootfs_size() > 0) {
    std::vector<oci::Mount> mounts;
    for (const wire::Mount& mount : request.rootfs())
      mounts.push_back(
          {mount.type(), mount.source(), mount.target(), {mount.options().begin(), mount.options().end()}});
    fs::path root = fs::path(bundle_) / "rootfs";
    if (::mkdir(root.c_str(), 0711) != 0 && errno != EEXIST) fail_errno(errno, "making {}", root.string());
    mounted_ = true;
    oci::mount_all(mounts, root);
  }
  activation_ = co_await prepare_spec();
  co_await init_->stdio.open();
  const fs::path pid_file = fs::path(bundle_) / "init.pid";
  Children::ReapingRecord record(world_.children);
  oci::Argv argv = runtime_.create(id_, bundle_, pid_file, init_->stdio.console_socket());
  co_await run_with_stdio(argv, init_->stdio, "OCI runtime create failed");
  init_->pid = read_pid(pid_file);
  init_->exit = world_.children.adopt(init_->pid);
  init_->stdio.begin();
  try {
    cgroup_ = Cgroup::of_process(init_->pid);
  } catch (const Error& error) {  // it is gone already
    diary_debug("no cgroup of {}: {}", id_, error.what());
  }
  watch_memory();
}

asio::awaitable<void> Task::undo_create() {
  init_->stdio.close();
  try {
    if (init_->pid > 0) co_await run_runtime(runtime_.remove(id_, true), "deleting after a failed create");
    if (mounted_) oci::unmount_all(fs::path(bundle_) / "rootfs");
  } catch (const std::exception& error) {
    diary("undoing the creation of {}: {}", id_, error.what());
  }
  co_await release_environment();
}

asio::awaitable<std::optional<Activation>> Task::prepare_spec() {
  const fs::path config = fs::path(bundle_) / "config.json";
  oci::RuntimeSpec spec = oci::RuntimeSpec::load(config);
  own_pid_namespace_ = spec.has_own_pid_namespace();
  if (!is_imageless(spec)) co_return std::nullopt;
  imageless_ = true;
  write_file(lease_file(), id_, 0600);
  fs::path root = fs::path(bundle_) / spec.root_path();  // an absolute path stands for itself
  std::optional<Activation> activation = co_await world_.imageless.prepare(id_, spec, root);
  spec.save(config);
  co_return activation;
}

void Task::watch_memory() {
  if (!cgroup_) return;
  try {
    auto tell = [publisher = &world_.publisher, id = id_] {
      wire::TaskNotice event;
      event.set_container_id(id);
      publisher->publish("/tasks/oom", "containerd.events.TaskOOM", event);
    };
    oom_ = std::make_unique<OomWatch>(world_.executor, *cgroup_, tell);
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
  if (wanted->stopped()) fail_status(Code::unknown, "cannot start a stopped process");
  if (wanted->started) fail_status(Code::unknown, "cannot start a running process");
  if (exec_id.empty())
    co_await start_init();
  else
    co_await start_exec(wanted);
  co_return wanted->pid;
}

asio::awaitable<void> Task::start_init() {
  co_await run_runtime(runtime_.start(id_), "OCI runtime start failed");
  init_->started = true;
  wire::TaskStart event;
  event.set_container_id(id_);
  event.set_pid(static_cast<uint32_t>(init_->pid));
  world_.publisher.publish("/tasks/start", "containerd.events.TaskStart", event);
}

asio::awaitable<void> Task::start_exec(std::shared_ptr<TaskProcess> process) {
  if (init_exited_ || init_->stopped())
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
  const fs::path spec_file = fs::path(bundle_) / (process->id + ".process.json");
  const fs::path pid_file = fs::path(bundle_) / (process->id + ".pid");
  co_await process->stdio.open();
  write_file(spec_file, process->spec->dump(), 0600);
  Children::ReapingRecord record(world_.children);
  oci::Argv argv = runtime_.exec(id_, spec_file, pid_file, process->stdio.console_socket());
  std::exception_ptr failure;
  try {
    co_await run_with_stdio(argv, process->stdio, "OCI runtime exec failed");
  } catch (...) {
    failure = std::current_exception();
  }
  ::unlink(spec_file.c_str());
  if (failure) std::rethrow_exception(failure);
  process->pid = read_pid(pid_file);
  process->exit = world_.children.adopt(process->pid);
  process->stdio.begin();
}

void Task::add_exec(const wire::ExecProcessRequest& request) {
  if (request.exec_id().empty() || request.exec_id().find('/') != std::string::npos)
    fail_status(Code::invalid_argument, "\"{}\" cannot be the id of a process", request.exec_id());
  if (execs_.contains(request.exec_id()))
    fail_status(Code::already_exists, "id {} is in use", request.exec_id());
  if (init_->stopped()) fail_status(Code::failed_precondition, "cannot exec in a stopped container");
  if (paused_ || pausing_) fail_status(Code::failed_precondition, "cannot exec in a paused container");
  oci::ProcessSpec spec = oci::ProcessSpec::parse(request.spec().value());
  spec.set_terminal(request.terminal());
  if (activation_) spec.set_env(activation_->merged(spec.env()));
  StdioPaths paths{request.stdin(), request.stdout(), request.stderr(), request.terminal()};
  auto process = std::make_shared<TaskProcess>(world_, request.exec_id(), std::move(paths), options_, id_);
  process->spec = std::move(spec);
  execs_[request.exec_id()] = process;
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
      co_await run_runtime(runtime_.kill(id_, SIGKILL, true), "killing what init left behind");
    } catch (const std::exception& error) {
      diary_debug("{}: {}", id_, error.what());
    }
  }
  if (std::exchange(paused_, false)) {  // what is left in the cgroup must be able to die
    try {
      co_await run_runtime(runtime_.resume(id_), "resuming after init's end");
    } catch (const std::exception& error) {
      diary_debug("{}: {}", id_, error.what());
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
  if (target->deleted || target->stopped()) fail_status(Code::not_found, "process already finished");
  if (!init && target->pid == 0) fail_status(Code::failed_precondition, "process not created");
  if (init && (all || paused_)) {
    // The runtime knows the cgroup, and thaws it for a SIGKILL.
    try {
      co_await run_runtime(runtime_.kill(id_, signal, all), "killing");
    } catch (const ttrpc::StatusError& error) {
      std::string text = error.what();
      if (contains(text, "process already finished") || contains(text, "container not running") ||
          contains(text, "no such process"))
        fail_status(Code::not_found, "process already finished");
      if (contains(text, "does not exist")) fail_status(Code::not_found, "no such container");
      throw;
    }
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
    co_await run_runtime(runtime_.pause(id_), "OCI runtime pause failed");
  } catch (...) {
    failure = std::current_exception();
  }
  pausing_ = false;
  if (failure) std::rethrow_exception(failure);
  paused_ = true;
  wire::TaskNotice event;
  event.set_container_id(id_);
  world_.publisher.publish("/tasks/paused", "containerd.events.TaskPaused", event);
}

asio::awaitable<void> Task::resume() {
  auto self = shared_from_this();
  auto guard = co_await init_->mutex.lock();
  if (!paused_) fail_status(Code::unknown, "cannot resume a container that is not paused");
  co_await run_runtime(runtime_.resume(id_), "OCI runtime resume failed");
  paused_ = false;
  wire::TaskNotice event;
  event.set_container_id(id_);
  world_.publisher.publish("/tasks/resumed", "containerd.events.TaskResumed", event);
}

asio::awaitable<void> Task::update(std::string resources_json) {
  auto self = shared_from_this();
  auto guard = co_await init_->mutex.lock();
  if (init_->deleted || init_->stopped()) fail_status(Code::unknown, "cannot update a stopped container");
  co_await run_runtime(runtime_.update(id_), "OCI runtime update failed", std::move(resources_json));
}

asio::awaitable<std::vector<std::pair<pid_t, std::string>>> Task::pids() {
  auto self = shared_from_this();
  Spawn spawn;
  spawn.argv = runtime_.processes(id_);
  Captured result = co_await world_.children.capture(std::move(spawn));
  if (result.status != 0) fail_runtime("listing processes", result.err);
  std::vector<std::pair<pid_t, std::string>> list;
  for (int pid : oci::parse_pids(result.out)) {
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
    if (init && target->started && !target->stopped())
      fail_status(Code::unknown, "cannot delete a running process");
    if (!init && target->running()) fail_status(Code::unknown, "cannot delete a running process");
    // A dying init holds the mutex until its exit is told.
    auto guard = co_await target->mutex.lock();
    if (target->deleted) fail_status(Code::not_found, "process {} not found", target->id);
    co_await target->stdio.drain(target->pid > 0 && target->stopped() ? drain_limit : Milliseconds(0));
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
  try {
    co_await run_runtime(runtime_.remove(id_, false), "OCI runtime delete failed");
  } catch (const ttrpc::StatusError& error) {
    if (!contains(error.what(), "does not exist")) throw;
  }
  if (mounted_) {
    try {
      oci::unmount_all(fs::path(bundle_) / "rootfs");
    } catch (const Error& error) {
      diary("unmounting the root of {}: {}", id_, error.what());  // containerd tries again
    }
  }
  co_await release_environment();
}

// --- the OCI runtime

void Task::fail_runtime(const std::string& what, const std::string& output) const {
  std::string reason = runtime_.last_error().value_or("");
  if (reason.empty()) reason = output;
  while (!reason.empty() && reason.back() == '\n') reason.pop_back();
  fail_status(Code::unknown, "{}: {}", what, reason.empty() ? "unknown error (no message)" : reason);
}

asio::awaitable<void> Task::run_runtime(oci::Argv argv, std::string what, std::string input) {
  Spawn spawn;
  spawn.argv = std::move(argv);
  std::string unstarted;
  try {
    Captured result = co_await world_.children.capture(std::move(spawn), std::move(input));
    if (result.status == 0) co_return;
    unstarted = std::move(result.err);
  } catch (const Error& error) {
    fail_status(Code::unknown, "{}: {}", what, error.what());
  }
  fail_runtime(what, unstarted);
}

asio::awaitable<void> Task::run_with_stdio(oci::Argv argv, const Stdio& stdio, std::string what) {
  Spawn spawn;
  spawn.argv = std::move(argv);
  spawn.in = stdio.child_in();
  spawn.out = stdio.child_out();
  spawn.err = stdio.child_err();
  int status = 0;
  try {
    status = co_await world_.children.run(std::move(spawn));
  } catch (const Error& error) {
    fail_status(Code::unknown, "{}: {}", what, error.what());
  }
  if (status != 0) fail_runtime(what, fmt::format("{} ended with exit code {}", options_.binary, status));
}

pid_t Task::read_pid(const fs::path& file) const {
  std::string text = read_file(file);
  pid_t pid = 0;
  std::from_chars(text.data(), text.data() + text.size(), pid);
  if (pid <= 0) fail(ErrorKind::internal, "{} holds no process id", file.string());
  return pid;
}

}  // namespace flox::shim
