#include "shim/task/task.h"

#include <signal.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "shim/task/checkpoint.h"
#include "ttrpc/status.h"

namespace flox::shim {

using ttrpc::Code;
using ttrpc::fail_status;

namespace {

StdioPaths stdio_of(const wire::CreateTaskRequest& request) {
  return {request.stdin(), request.stdout(), request.stderr(), request.terminal()};
}

}  // namespace

Task::Task(TaskContext context, const wire::CreateTaskRequest& request, RuntimeOptions options)
    : context_(std::move(context)),
      id_(request.id()),
      bundle_(request.bundle()),
      options_(std::move(options)),
      root_(bundle_),
      environment_(context_.imageless, id_, bundle_),
      events_(context_.publisher, id_),
      init_(std::make_shared<TaskProcess>(id_, stdio_owner(), stdio_of(request))),
      active_execs_(context_.executor) {
  if (!request.checkpoint().empty()) restore_from_ = restore_of(request, options_);
}

Stdio::Owner Task::stdio_owner() const {
  return {context_.executor, context_.children, context_.namespace_name, id_,
          options_.io_uid,   options_.io_gid};
}

std::shared_ptr<TaskProcess> Task::process(const std::string& exec_id) const {
  if (exec_id.empty()) return init_;
  auto found = execs_.find(exec_id);
  if (found == execs_.end())
    fail_status(Code::not_found, "process {} in container {}: not found", exec_id, id_);
  return found->second;
}

asio::awaitable<void> Task::kill(std::string exec_id, uint32_t signal, bool all) {
  auto self = shared_from_this();
  auto target = process(exec_id);
  const bool init = exec_id.empty();
  if (has_ended(target->state())) fail_status(Code::not_found, "process already finished");
  if (init && (all || pause_ == PauseState::paused)) {
    co_await runtime_->kill(signal, all);  // it knows the cgroup, and thaws it for a SIGKILL
    co_return;
  }
  // No process yet: an exec that is not started, an init that is not restored.
  if (target->pid == 0) fail_status(Code::failed_precondition, "process not created");
  // Our child, and not reaped yet: the pid cannot mean another process.
  if (::kill(target->pid, static_cast<int>(signal)) == 0) co_return;
  if (errno == ESRCH) fail_status(Code::not_found, "process already finished");
  fail_status(Code::unknown, "sending signal {} to process {}: {}", signal, target->pid,
              std::strerror(errno));
}

asio::awaitable<void> Task::pause() {
  auto self = shared_from_this();
  auto guard = co_await init_->mutex.lock();
  if (pause_ != PauseState::active || init_->state() != ProcessState::running)
    fail_status(Code::unknown, "cannot pause a container that is not running");
  happens(PauseEvent::pause);
  std::exception_ptr failure;
  try {
    co_await runtime_->pause();
  } catch (...) {
    failure = std::current_exception();
  }
  happens(failure ? PauseEvent::pause_failed : PauseEvent::paused);
  if (failure) std::rethrow_exception(failure);
  events_.paused();
}

asio::awaitable<void> Task::resume() {
  auto self = shared_from_this();
  auto guard = co_await init_->mutex.lock();
  if (pause_ != PauseState::paused)
    fail_status(Code::unknown, "cannot resume a container that is not paused");
  co_await runtime_->resume();
  happens(PauseEvent::resumed);
  events_.resumed();
}

asio::awaitable<void> Task::update(std::string resources_json) {
  auto self = shared_from_this();
  auto guard = co_await init_->mutex.lock();
  if (has_ended(init_->state())) fail_status(Code::unknown, "cannot update a stopped container");
  co_await runtime_->update(std::move(resources_json));
}

asio::awaitable<void> Task::checkpoint(wire::CheckpointTaskRequest request) {
  auto self = shared_from_this();
  auto guard = co_await init_->mutex.lock();
  if (init_->state() != ProcessState::running)
    fail_status(Code::unknown, "cannot checkpoint a container that is not running");
  co_await runtime_->checkpoint(checkpoint_of(request, bundle_));
  events_.checkpointed(request.path());
}

asio::awaitable<std::vector<std::pair<pid_t, std::string>>> Task::pids() {
  auto self = shared_from_this();
  const std::vector<pid_t> pids = co_await runtime_->processes();
  std::vector<std::pair<pid_t, std::string>> list;
  for (pid_t pid : pids) {
    std::string exec_id;
    for (const auto& [id, process] : execs_)
      if (process->state() == ProcessState::running && process->pid == pid) exec_id = id;
    list.emplace_back(pid, exec_id);
  }
  co_return list;
}

wire::Any Task::stats() const {
  if (!cgroup_) fail_status(Code::not_found, "cgroup does not exist");
  return cgroup_->stats();
}

}  // namespace flox::shim
