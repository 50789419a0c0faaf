// What containerd is told of a task (docs/formats/shim.md), in the order of the calls.
#pragma once

#include <sys/types.h>

#include <string>

#include "shim/task/publisher.h"
#include "shim/task/task_process.h"

namespace flox::shim {

// Never fails. `publisher` outlives the object.
class TaskEvents {
 public:
  TaskEvents(Publisher& publisher, std::string container_id)
      : publisher_(publisher), id_(std::move(container_id)) {}

  void created(const wire::CreateTaskRequest& request, pid_t pid) const;
  void started(pid_t pid) const;
  void exec_added(const std::string& exec_id) const;
  void exec_started(const TaskProcess& process) const;
  // Of a process that has ended.
  void exited(const TaskProcess& process) const;
  void out_of_memory() const;
  void paused() const;
  void resumed() const;
  void checkpointed(const std::string& path) const;
  void deleted(const wire::DeleteResponse& response) const;

 private:
  void notice(const char* topic, const char* type) const;

  Publisher& publisher_;
  std::string id_;
};

}  // namespace flox::shim
