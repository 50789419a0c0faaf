// The end of a task's processes: who hears of it, in which order, and what is taken away.
#include <signal.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "base/error.h"
#include "base/foreign_error.h"
#include "shim/io/shim_log.h"
#include "shim/protocol/time.h"
#include "shim/task/task.h"
#include "ttrpc/status.h"

namespace flox::shim {

using ttrpc::Code;
using ttrpc::fail_status;

namespace {

// What a client sees of stdio left open by grandchildren after the process has ended.
constexpr Milliseconds drain_limit{10'000};

void refuse_running(const TaskProcess& process) {
  if (process.state() == ProcessState::running) fail_status(Code::unknown, "cannot delete a running process");
}

}  // namespace

asio::awaitable<void> Task::watch_exec(std::shared_ptr<TaskProcess> process) {
  co_await process->exit->happened.wait();
  events_.exited(*process);
  process->happens(ProcessEvent::exit_published);
  active_execs_.done();
}

void Task::spawn_watch_init() {
  asio::co_spawn(
      context_.executor, [self = shared_from_this()] { return self->watch_init(); }, asio::detached);
}

// The exit of init is told last: after that of all execs, and not before Start has told the start.
asio::awaitable<void> Task::watch_init() {
  co_await init_->exit->happened.wait();
  auto guard = co_await init_->mutex.lock();
  co_await end_others();
  co_await active_execs_.wait();
  if (oom_) oom_->check();
  oom_.reset();
  events_.exited(*init_);
  init_->happens(ProcessEvent::exit_published);
}

asio::awaitable<void> Task::end_others() {
  if (!own_pid_namespace_) {  // else the kernel has killed the others
    try {
      co_await runtime_->kill(SIGKILL, true);
    } catch (const std::exception& error) {
      log_debug_of(id_, "{}: {}", id_, message_of(error));
    }
  }
  if (pause_ != PauseState::paused) co_return;
  happens(PauseEvent::resumed);
  try {
    co_await runtime_->resume();
  } catch (const std::exception& error) {
    log_debug_of(id_, "{}: {}", id_, message_of(error));
  }
}

asio::awaitable<wire::DeleteResponse> Task::remove(std::string exec_id) {
  auto self = shared_from_this();
  auto target = process(exec_id);
  const bool init = exec_id.empty();
  refuse_running(*target);
  {
    // A dying init holds the mutex until its exit is told.
    auto guard = co_await target->mutex.lock();
    refuse_running(*target);
    if (target->state() == ProcessState::deleted)
      fail_status(Code::not_found, "process {} not found", target->id);
    co_await target->stdio.drain(has_ended(target->state()) ? drain_limit : Milliseconds(0));
    if (init) co_await remove_init();
    target->happens(ProcessEvent::removed);
    target->stdio.close();
  }
  if (init && target->exit) co_await target->finished.wait();
  wire::DeleteResponse response;
  response.set_pid(static_cast<uint32_t>(target->pid));
  *response.mutable_exited_at() = never();
  if (const Exit* end = target->ended()) {
    response.set_exit_status(static_cast<uint32_t>(end->status));
    *response.mutable_exited_at() = timestamp_of(end->at);
  }
  if (init) {
    events_.deleted(response);
  } else {
    ::unlink((fs::path(bundle_) / (exec_id + ".pid")).c_str());
    execs_.erase(exec_id);
  }
  co_return response;
}

asio::awaitable<void> Task::remove_init() {
  co_await runtime_->remove(false);
  environment_.detach();  // still attached after a restore
  root_.unmount();
  const Exit* const end = init_->ended();
  co_await environment_.release(end != nullptr && end->status != 0);
}

}  // namespace flox::shim
