#include "shim/task/task_service.h"

#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "base/error.h"
#include "base/os/directory.h"
#include "shim/io/shim_log.h"
#include "shim/protocol/task_v2.ttrpc.h"
#include "shim/protocol/task_v3.ttrpc.h"
#include "shim/protocol/time.h"
#include "shim/service/guarded.h"
#include "ttrpc/status.h"

namespace flox::shim {

using ttrpc::Code;
using ttrpc::fail_status;

namespace {

constexpr Milliseconds idle_limit{30'000};

}  // namespace

TaskService::TaskService(TaskContext context, std::function<void()> shut_down)
    : context_(std::move(context)), shut_down_(std::move(shut_down)) {}

// The same method of both versions. `body` takes the request's message and its Call.
template <typename RequestMessage, typename ResponseMessage, typename Body>
void TaskService::method(ttrpc::Server& server, const ttrpc::Method<RequestMessage, ResponseMessage>& v2,
                         const ttrpc::Method<RequestMessage, ResponseMessage>& v3, Body body,
                         bool is_activity) {
  const ttrpc::Handler handler =
      guarded(is_activity ? &context_.idle_memory : nullptr, v2.name, ttrpc::to_handler(v2, std::move(body)));
  for (const auto& version : {v2, v3}) server.handle(version.service, version.name, handler);
}

void TaskService::serve(ttrpc::Server& server) {
  watch_idleness();
  using V2 = containerd::task::v2::Task;
  using V3 = containerd::task::v3::Task;
  using ttrpc::Call;
  using Nothing = asio::awaitable<wire::Empty>;
  method(server, V2::Create, V3::Create, [this](wire::CreateTaskRequest request, Call call) {
    return create(std::move(request), {limit_of(call), std::move(call.traceparent)});
  });
  method(server, V2::Start, V3::Start,
         [this](wire::ProcessRequest request, Call) -> asio::awaitable<wire::StartResponse> {
           std::shared_ptr<Task> task = find(request.id());
           pid_t pid = co_await task->start(request.exec_id());
           wire::StartResponse response;
           response.set_pid(static_cast<uint32_t>(pid));
           co_return response;
         });
  method(server, V2::Delete, V3::Delete,
         [this](wire::ProcessRequest request, Call) { return remove(std::move(request)); });
  method(server, V2::Exec, V3::Exec, [this](wire::ExecProcessRequest request, Call) -> Nothing {
    find(request.id())->add_exec(request);
    co_return wire::Empty();
  });
  method(server, V2::ResizePty, V3::ResizePty, [this](wire::ResizePtyRequest request, Call) -> Nothing {
    auto process = find(request.id())->process(request.exec_id());
    if (has_ended(process->state())) fail_status(Code::unknown, "cannot resize a stopped process");
    process->stdio.resize(static_cast<uint16_t>(request.width()), static_cast<uint16_t>(request.height()));
    co_return wire::Empty();
  });
  method(server, V2::CloseIO, V3::CloseIO, [this](wire::CloseIORequest request, Call) -> Nothing {
    auto process = find(request.id())->process(request.exec_id());
    if (request.stdin()) process->stdio.close_stdin();
    co_return wire::Empty();
  });
  method(server, V2::State, V3::State,
         [this](wire::ProcessRequest request, Call) -> asio::awaitable<wire::StateResponse> {
           co_return state(request);
         });
  method(server, V2::Kill, V3::Kill, [this](wire::KillRequest request, Call) -> Nothing {
    std::shared_ptr<Task> task = find(request.id());
    co_await task->kill(request.exec_id(), request.signal(), request.all());
    co_return wire::Empty();
  });
  method(server, V2::Pause, V3::Pause, [this](wire::TaskRequest request, Call) -> Nothing {
    std::shared_ptr<Task> task = find(request.id());
    co_await task->pause();
    co_return wire::Empty();
  });
  method(server, V2::Resume, V3::Resume, [this](wire::TaskRequest request, Call) -> Nothing {
    std::shared_ptr<Task> task = find(request.id());
    co_await task->resume();
    co_return wire::Empty();
  });
  method(server, V2::Update, V3::Update, [this](wire::UpdateTaskRequest request, Call) -> Nothing {
    std::shared_ptr<Task> task = find(request.id());
    co_await task->update(request.resources().value());
    co_return wire::Empty();
  });
  method(server, V2::Checkpoint, V3::Checkpoint,
         [this](wire::CheckpointTaskRequest request, Call) -> Nothing {
           std::shared_ptr<Task> task = find(request.id());
           co_await task->checkpoint(std::move(request));
           co_return wire::Empty();
         });
  method(server, V2::Pids, V3::Pids,
         [this](wire::TaskRequest request, Call) { return pids(std::move(request)); });
  method(server, V2::Wait, V3::Wait, [this](wire::ProcessRequest request, Call call) {
    return wait(std::move(request), limit_of(call));
  });
  method(
      server, V2::Stats, V3::Stats,
      [this](wire::TaskRequest request, Call) -> asio::awaitable<wire::StatsResponse> {
        wire::StatsResponse response;
        *response.mutable_stats() = find(request.id())->stats();
        co_return response;
      },
      false);
  method(server, V2::Connect, V3::Connect,
         [this](wire::TaskRequest request, Call) -> asio::awaitable<wire::ConnectResponse> {
           co_return connect(request);
         });
  method(server, V2::Shutdown, V3::Shutdown, [this](wire::ShutdownRequest, Call) -> Nothing {
    shut_down_if_idle();
    co_return wire::Empty();
  });
}

std::shared_ptr<Task> TaskService::find(const std::string& id) const {
  auto found = tasks_.find(id);
  if (found == tasks_.end()) fail_status(Code::not_found, "container not created: {}", id);
  return found->second;
}

asio::awaitable<wire::CreateTaskResponse> TaskService::create(wire::CreateTaskRequest request,
                                                              CallTerms terms) {
  std::string id = request.id();
  if (!is_file_name(id)) fail_status(Code::invalid_argument, "\"{}\" cannot be a container's id", id);
  if (tasks_.contains(id) || !creating_.insert(id).second)
    fail_status(Code::already_exists, "container {} exists", id);
  ++creates_;
  struct Reservation {
    TaskService& service;
    const std::string& id;
    ~Reservation() {
      service.creating_.erase(id);
      if (service.shutdown_asked_) service.shut_down_if_idle();
      service.watch_idleness();
    }
  } reservation{*this, id};
  std::shared_ptr<Task> task = co_await Task::create(context_, std::move(request), std::move(terms));
  tasks_[id] = task;
  wire::CreateTaskResponse response;
  response.set_pid(static_cast<uint32_t>(task->process("")->pid));
  co_return response;
}

asio::awaitable<wire::DeleteResponse> TaskService::remove(wire::ProcessRequest request) {
  std::shared_ptr<Task> task = find(request.id());
  wire::DeleteResponse response = co_await task->remove(request.exec_id());
  if (request.exec_id().empty()) {
    tasks_.erase(request.id());
    forget_container(request.id());
    watch_idleness();
  }
  co_return response;
}

asio::awaitable<wire::WaitResponse> TaskService::wait(wire::ProcessRequest request, Milliseconds limit) {
  auto process = find(request.id())->process(request.exec_id());
  if (!co_await process->finished.wait_for(limit))
    fail_status(Code::deadline_exceeded, "process {} still runs", process->id);
  wire::WaitResponse response;
  if (process->exit) {
    response.set_exit_status(static_cast<uint32_t>(process->exit->status));
    *response.mutable_exited_at() = timestamp_of(process->exit->at);
  } else {
    *response.mutable_exited_at() = never();
  }
  co_return response;
}

asio::awaitable<wire::PidsResponse> TaskService::pids(wire::TaskRequest request) {
  std::shared_ptr<Task> task = find(request.id());
  auto list = co_await task->pids();
  wire::PidsResponse response;
  for (const auto& [pid, exec_id] : list) {
    wire::ProcessInfo& info = *response.add_processes();
    info.set_pid(static_cast<uint32_t>(pid));
    if (exec_id.empty()) continue;
    wire::ProcessDetails details;
    details.set_exec_id(exec_id);
    info.mutable_info()->set_type_url("containerd.runc.v1.ProcessDetails");
    info.mutable_info()->set_value(details.SerializeAsString());
  }
  co_return response;
}

wire::StateResponse TaskService::state(const wire::ProcessRequest& request) const {
  std::shared_ptr<Task> task = find(request.id());
  auto process = task->process(request.exec_id());
  wire::StateResponse response;
  response.set_id(process->id);
  response.set_bundle(task->bundle());
  response.set_pid(static_cast<uint32_t>(process->pid));
  response.set_status(task->status(*process));
  response.set_stdin(process->stdio.paths().in);
  response.set_stdout(process->stdio.paths().out);
  response.set_stderr(process->stdio.paths().err);
  response.set_terminal(process->stdio.paths().terminal);
  *response.mutable_exited_at() = never();
  if (const Exit* end = process->ended(); end != nullptr && response.status() == wire::STOPPED) {
    response.set_exit_status(static_cast<uint32_t>(end->status));
    *response.mutable_exited_at() = timestamp_of(end->at);
  }
  return response;
}

wire::ConnectResponse TaskService::connect(const wire::TaskRequest& request) const {
  wire::ConnectResponse response;
  response.set_shim_pid(static_cast<uint32_t>(::getpid()));
  if (auto found = tasks_.find(request.id()); found != tasks_.end())
    response.set_task_pid(static_cast<uint32_t>(found->second->process("")->pid));
  return response;
}

void TaskService::shut_down_if_idle() {
  shutdown_asked_ = tasks_.empty();  // asked again when what is being created has failed
  if (!idle() || !shut_down_) return;
  std::exchange(shut_down_, nullptr)();
}

void TaskService::watch_idleness() {
  if (!idle() || !shut_down_) return;
  auto wait = [this, creates = creates_]() -> asio::awaitable<void> {
    co_await pause_for(idle_limit);
    context_.idle_memory.note_activity();  // this was some, and left pages behind
    if (creates_ != creates || !idle() || !shut_down_) co_return;
    log_warning("neither task nor sandbox for {} s: containerd has forgotten this shim, which ends",
                idle_limit / Milliseconds(1000));
    shut_down_if_idle();
  };
  asio::co_spawn(context_.executor, std::move(wait), asio::detached);
}

}  // namespace flox::shim
