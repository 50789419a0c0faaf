// containerd's Task service, both versions of it (task_v2.proto, task_v3.proto), on the tasks of this shim.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "shim/task/task.h"
#include "ttrpc/server.h"

namespace flox::shim {

class TaskService {
 public:
  // `shut_down` is called once: when containerd asks and neither a task nor a sandbox is left, or when there
  // has been none for `idle_limit`, for then containerd has forgotten this shim. It asks for one at once, and
  // to shut down after the last; but killed in the middle of a create, or unable to write down where we
  // listen (a full disk), it does not.
  TaskService(TaskContext context, std::function<void()> shut_down);
  // Makes all methods of both versions known to the server, which must not outlive this object.
  void serve(ttrpc::Server& server);
  // As if containerd asked.
  void shut_down_if_idle();

 private:
  template <typename RequestMessage, typename ResponseMessage, typename Body>
  void method(ttrpc::Server& server, const ttrpc::Method<RequestMessage, ResponseMessage>& v2,
              const ttrpc::Method<RequestMessage, ResponseMessage>& v3, Body body, bool is_activity = true);

  std::shared_ptr<Task> find(const std::string& id) const;  // throws NotFound
  asio::awaitable<wire::CreateTaskResponse> create(wire::CreateTaskRequest request, CallTerms terms);
  asio::awaitable<wire::DeleteResponse> remove(wire::ProcessRequest request);
  asio::awaitable<wire::WaitResponse> wait(wire::ProcessRequest request, Milliseconds limit);
  asio::awaitable<wire::PidsResponse> pids(wire::TaskRequest request);
  wire::StateResponse state(const wire::ProcessRequest& request) const;
  wire::ConnectResponse connect(const wire::TaskRequest& request) const;
  bool idle() const { return tasks_.empty() && creating_.empty() && !context_.sandbox.exists(); }
  // Begins to wait for `idle_limit`, if there is nothing now.
  void watch_idleness();

  TaskContext context_;
  std::function<void()> shut_down_;
  std::map<std::string, std::shared_ptr<Task>> tasks_;
  std::set<std::string> creating_;
  uint64_t creates_ = 0;         // all that were ever asked for
  bool shutdown_asked_ = false;  // while a task was being created
};

}  // namespace flox::shim
