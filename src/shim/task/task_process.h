// One process of a container, init or exec: what is known of it and where its streams go.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "oci/runtime_spec.h"
#include "shim/io/stdio.h"
#include "shim/process/children.h"
#include "shim/process/waiting.h"

namespace flox::shim {

struct TaskProcess {
  TaskProcess(std::string process_id, Stdio::Owner owner, StdioPaths paths)
      : id(std::move(process_id)),
        stdio(owner, std::move(paths)),
        mutex(owner.executor),
        finished(owner.executor) {}

  bool running() const { return started && pid > 0 && !exited(); }
  bool exited() const { return exit && exit->happened.is_set(); }
  // What clients are shown: no process is stopped before its exit is told, and that of init is told last.
  bool stopped() const { return exited() && finished.is_set(); }

  std::string id;  // the container's for init
  Stdio stdio;
  Mutex mutex;  // held while it changes its state
  pid_t pid = 0;
  std::shared_ptr<Exit> exit;  // from when the pid is known
  Event finished;              // its exit is published, or it never can run
  bool started = false;
  bool failed = false;  // an exec that could not be started
  bool deleted = false;
  std::optional<oci::ProcessSpec> spec;  // of an exec
};

}  // namespace flox::shim
