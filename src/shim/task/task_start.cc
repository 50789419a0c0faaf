// Starting a task's processes: init, made or restored, and execs.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "base/error.h"
#include "base/os/directory.h"
#include "oci/runtime_spec.h"
#include "shim/cgroup/cgroup_migration.h"
#include "shim/task/task.h"
#include "ttrpc/status.h"

namespace flox::shim {

using ttrpc::Code;
using ttrpc::fail_status;

asio::awaitable<pid_t> Task::start(std::string exec_id) {
  auto self = shared_from_this();
  auto wanted = process(exec_id);
  const bool init = exec_id.empty();
  auto guard = co_await wanted->mutex.lock();
  switch (wanted->state()) {
    case ProcessState::created:
      break;
    case ProcessState::running:
      fail_status(Code::unknown, "cannot start a running process");
    case ProcessState::aborted:
    case ProcessState::exited:
    case ProcessState::stopped:
      fail_status(init ? Code::failed_precondition : Code::unknown, "cannot start a stopped process");
    case ProcessState::failed:
      fail_status(Code::unknown, "process {} could not be started before", wanted->id);
    case ProcessState::deleted:
      fail_status(Code::unknown, "cannot start a deleted process");
  }
  if (init)
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
  init_->happens(ProcessEvent::started);
  events_.started(init_->pid);
}

asio::awaitable<void> Task::restore_init() {
  Children::ReapingRecord record(context_.children);
  const pid_t pid = co_await runtime_->restore(init_->stdio, *restore_from_);
  init_->adopt(context_.children, pid);
  spawn_watch_init();  // first: also a process whose terminal does not come is one that runs
  begin_init();
}

void Task::add_exec(const wire::ExecProcessRequest& request) {
  if (!is_file_name(request.exec_id()))  // its files in the bundle bear it
    fail_status(Code::invalid_argument, "\"{}\" cannot be the id of a process", request.exec_id());
  if (execs_.contains(request.exec_id()))
    fail_status(Code::already_exists, "id {} is in use", request.exec_id());
  if (status(*init_) == wire::STOPPED)
    fail_status(Code::failed_precondition, "cannot exec in a stopped container");
  if (pause_ != PauseState::active)
    fail_status(Code::failed_precondition, "cannot exec in a paused container");
  oci::ProcessSpec spec = oci::ProcessSpec::parse(request.spec().value());
  spec.set_terminal(request.terminal());
  if (const auto& activation = environment_.activation()) spec.set_env(activation->merged(spec.env()));
  StdioPaths paths{request.stdin(), request.stdout(), request.stderr(), request.terminal()};
  auto process = std::make_shared<TaskProcess>(request.exec_id(), stdio_owner(), std::move(paths));
  process->spec = std::move(spec);
  execs_[request.exec_id()] = process;
  expect_cgroup_migration();  // Start follows within milliseconds
  events_.exec_added(request.exec_id());
}

asio::awaitable<void> Task::start_exec(std::shared_ptr<TaskProcess> process) {
  if (has_ended(init_->state()))
    fail_status(Code::failed_precondition, "container {} init process is not running", id_);
  active_execs_.add();
  std::exception_ptr failure;
  try {
    co_await launch_exec(process);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    process->launch_failed();
    active_execs_.done();
    std::rethrow_exception(failure);
  }
  process->happens(ProcessEvent::started);
  events_.exec_started(*process);
  asio::co_spawn(
      context_.executor, [self = shared_from_this(), process] { return self->watch_exec(process); },
      asio::detached);
}

asio::awaitable<void> Task::launch_exec(std::shared_ptr<TaskProcess> process) {
  co_await process->stdio.open();
  Children::ReapingRecord record(context_.children);
  const pid_t pid = co_await runtime_->exec(process->id, *process->spec, process->stdio);
  process->adopt(context_.children, pid);
  process->stdio.begin();
}

}  // namespace flox::shim
