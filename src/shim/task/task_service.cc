#include "shim/task/task_service.h"

#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "base/error.h"
#include "base/os/directory.h"
#include "shim/io/diary.h"
#include "shim/protocol/time.h"
#include "ttrpc/status.h"

namespace flox::shim {

using ttrpc::Code;
using ttrpc::fail_status;

namespace {

// Errors that are not statuses yet: containerd knows fewer codes than ErrorKind has, and takes the rest as
// Unknown.
template <typename Error>
[[noreturn]] void rethrow_for_containerd(const Error& error) {
  ttrpc::Status status = ttrpc::status_of(error);
  if (status.code == Code::internal || status.code == Code::permission_denied) status.code = Code::unknown;
  throw ttrpc::StatusError(status.code, status.message);
}

constexpr Milliseconds idle_limit{30'000};

std::string nothing() { return wire::Empty().SerializeAsString(); }

}  // namespace

TaskService::TaskService(World world, std::function<void()> shut_down)
    : world_(std::move(world)), shut_down_(std::move(shut_down)) {}

// Registers a method whose body takes the parsed message (and the call's time limit) and gives the serialised
// answer.
template <typename RequestMessage, typename Body>
void TaskService::method(ttrpc::Server& server, const char* name, Body body) {
  ttrpc::Handler handler = [this, name, body](ttrpc::Request request) -> asio::awaitable<std::string> {
    world_.idle_memory.note_activity();
    RequestMessage message;
    if (!message.ParseFromString(request.payload))
      fail_status(Code::invalid_argument, "malformed {} request", name);
    Milliseconds limit = Milliseconds::max();
    if (request.timeout.count() > 0) limit = std::chrono::ceil<Milliseconds>(request.timeout);
    try {
      std::string answer = co_await body(std::move(message), limit);
      co_return answer;
    } catch (const ttrpc::StatusError& error) {
      diary_debug("{}: {}", name, error.what());
      throw;
    } catch (const std::exception& error) {
      diary_debug("{}: {}", name, error.what());
      rethrow_for_containerd(error);
    }
  };
  for (const char* service : {"containerd.task.v2.Task", "containerd.task.v3.Task"})
    server.handle(service, name, handler);
}

void TaskService::serve(ttrpc::Server& server) {
  watch_idleness();
  using Answer = asio::awaitable<std::string>;
  method<wire::CreateTaskRequest>(server, "Create",
                                  [this](wire::CreateTaskRequest request, Milliseconds limit) -> Answer {
                                    return create(std::move(request), limit);
                                  });
  method<wire::ProcessRequest>(server, "Start", [this](wire::ProcessRequest request, Milliseconds) -> Answer {
    std::shared_ptr<Task> task = find(request.id());
    pid_t pid = co_await task->start(request.exec_id());
    wire::StartResponse response;
    response.set_pid(static_cast<uint32_t>(pid));
    co_return response.SerializeAsString();
  });
  method<wire::ProcessRequest>(
      server, "Delete",
      [this](wire::ProcessRequest request, Milliseconds) -> Answer { return remove(std::move(request)); });
  method<wire::ExecProcessRequest>(server, "Exec",
                                   [this](wire::ExecProcessRequest request, Milliseconds) -> Answer {
                                     find(request.id())->add_exec(request);
                                     co_return nothing();
                                   });
  method<wire::ResizePtyRequest>(server, "ResizePty",
                                 [this](wire::ResizePtyRequest request, Milliseconds) -> Answer {
                                   auto process = find(request.id())->process(request.exec_id());
                                   if (has_ended(process->state()))
                                     fail_status(Code::unknown, "cannot resize a stopped process");
                                   process->stdio.resize(static_cast<uint16_t>(request.width()),
                                                         static_cast<uint16_t>(request.height()));
                                   co_return nothing();
                                 });
  method<wire::CloseIORequest>(server, "CloseIO",
                               [this](wire::CloseIORequest request, Milliseconds) -> Answer {
                                 auto process = find(request.id())->process(request.exec_id());
                                 if (request.stdin()) process->stdio.close_stdin();
                                 co_return nothing();
                               });
  method<wire::ProcessRequest>(server, "State", [this](wire::ProcessRequest request, Milliseconds) -> Answer {
    co_return state(request).SerializeAsString();
  });
  method<wire::KillRequest>(server, "Kill", [this](wire::KillRequest request, Milliseconds) -> Answer {
    std::shared_ptr<Task> task = find(request.id());
    co_await task->kill(request.exec_id(), request.signal(), request.all());
    co_return nothing();
  });
  method<wire::TaskRequest>(server, "Pause", [this](wire::TaskRequest request, Milliseconds) -> Answer {
    std::shared_ptr<Task> task = find(request.id());
    co_await task->pause();
    co_return nothing();
  });
  method<wire::TaskRequest>(server, "Resume", [this](wire::TaskRequest request, Milliseconds) -> Answer {
    std::shared_ptr<Task> task = find(request.id());
    co_await task->resume();
    co_return nothing();
  });
  method<wire::UpdateTaskRequest>(server, "Update",
                                  [this](wire::UpdateTaskRequest request, Milliseconds) -> Answer {
                                    std::shared_ptr<Task> task = find(request.id());
                                    co_await task->update(request.resources().value());
                                    co_return nothing();
                                  });
  method<wire::CheckpointTaskRequest>(server, "Checkpoint",
                                      [this](wire::CheckpointTaskRequest request, Milliseconds) -> Answer {
                                        std::shared_ptr<Task> task = find(request.id());
                                        co_await task->checkpoint(std::move(request));
                                        co_return nothing();
                                      });
  method<wire::TaskRequest>(server, "Pids", [this](wire::TaskRequest request, Milliseconds) -> Answer {
    return pids(std::move(request));
  });
  method<wire::ProcessRequest>(server, "Wait",
                               [this](wire::ProcessRequest request, Milliseconds limit) -> Answer {
                                 return wait(std::move(request), limit);
                               });
  method<wire::TaskRequest>(server, "Stats", [this](wire::TaskRequest request, Milliseconds) -> Answer {
    wire::StatsResponse response;
    *response.mutable_stats() = find(request.id())->stats();
    co_return response.SerializeAsString();
  });
  method<wire::TaskRequest>(server, "Connect", [this](wire::TaskRequest request, Milliseconds) -> Answer {
    co_return connect(request).SerializeAsString();
  });
  method<wire::ShutdownRequest>(server, "Shutdown", [this](wire::ShutdownRequest, Milliseconds) -> Answer {
    shut_down_if_idle();
    co_return nothing();
  });
}

std::shared_ptr<Task> TaskService::find(const std::string& id) const {
  auto found = tasks_.find(id);
  if (found == tasks_.end()) fail_status(Code::not_found, "container not created: {}", id);
  return found->second;
}

asio::awaitable<std::string> TaskService::create(wire::CreateTaskRequest request, Milliseconds limit) {
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
  std::shared_ptr<Task> task = co_await Task::create(world_, std::move(request), limit);
  tasks_[id] = task;
  wire::CreateTaskResponse response;
  response.set_pid(static_cast<uint32_t>(task->process("")->pid));
  co_return response.SerializeAsString();
}

asio::awaitable<std::string> TaskService::remove(wire::ProcessRequest request) {
  std::shared_ptr<Task> task = find(request.id());
  wire::DeleteResponse response = co_await task->remove(request.exec_id());
  if (request.exec_id().empty()) {
    tasks_.erase(request.id());
    watch_idleness();
  }
  co_return response.SerializeAsString();
}

asio::awaitable<std::string> TaskService::wait(wire::ProcessRequest request, Milliseconds limit) {
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
  co_return response.SerializeAsString();
}

asio::awaitable<std::string> TaskService::pids(wire::TaskRequest request) {
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
  co_return response.SerializeAsString();
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
    world_.idle_memory.note_activity();  // this was some, and left pages behind
    if (creates_ != creates || !idle() || !shut_down_) co_return;
    diary("no task for {} s: containerd has forgotten this shim, which ends",
          idle_limit / Milliseconds(1000));
    shut_down_if_idle();
  };
  asio::co_spawn(world_.executor, std::move(wait), asio::detached);
}

}  // namespace flox::shim
