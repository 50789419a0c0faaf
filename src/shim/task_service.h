// The Task service: RPCs of containerd.task.v2.Task and containerd.task.v3.Task (the same messages) on the
// tasks of this shim.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "shim/task.h"
#include "ttrpc/server.h"

namespace flox::shim {

class TaskService {
 public:
  // `shut_down` is called once, when containerd asks and no task is left.
  TaskService(World world, std::function<void()> shut_down);
  // Makes all methods of both versions known to the server, which must not outlive this object.
  void serve(ttrpc::Server& server);
  // False if the time is over without any request.
  asio::awaitable<bool> asked_within(Milliseconds limit) { return asked_.wait_for(limit); }

 private:
  template <typename RequestMessage, typename Body>
  void method(ttrpc::Server& server, const char* name, Body body);

  std::shared_ptr<Task> find(const std::string& id) const;  // throws NotFound
  asio::awaitable<std::string> create(wire::CreateTaskRequest request, Milliseconds limit);
  asio::awaitable<std::string> remove(wire::ProcessRequest request);
  asio::awaitable<std::string> wait(wire::ProcessRequest request, Milliseconds limit);
  asio::awaitable<std::string> pids(wire::TaskRequest request);
  wire::StateResponse state(const wire::ProcessRequest& request) const;
  wire::ConnectResponse connect(const wire::TaskRequest& request) const;
  void shut_down_if_idle();

  World world_;
  std::function<void()> shut_down_;
  std::map<std::string, std::shared_ptr<Task>> tasks_;
  std::set<std::string> creating_;
  Event asked_;                  // anything at all
  bool shutdown_asked_ = false;  // while a task was being created
};

}  // namespace flox::shim
