// What makes a container and acts on it. Usually an OCI runtime (oci_runtime.h); a pod's pause container can
// do without one (pause_runtime.h).
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "oci/runtime.h"
#include "oci/runtime_spec.h"
#include "shim/io/stdio.h"
#include "shim/process/waiting.h"

namespace flox::shim {

// One container. Failures are ttrpc::StatusError with the runtime's own words. The pids that create, restore
// and exec give are children of the shim: keep a Children::ReapingRecord since before the call.
class ContainerRuntime {
 public:
  virtual ~ContainerRuntime() = default;

  // Makes the container; its init waits for start(). Fails if that takes longer than `limit`.
  virtual asio::awaitable<pid_t> create(const Stdio& stdio, Milliseconds limit) = 0;
  virtual asio::awaitable<void> start() = 0;
  // Instead of create and start.
  virtual asio::awaitable<pid_t> restore(const Stdio& stdio, oci::Runtime::Checkpoint from) = 0;
  virtual asio::awaitable<void> checkpoint(oci::Runtime::Checkpoint how) = 0;
  virtual asio::awaitable<pid_t> exec(std::string exec_id, const oci::ProcessSpec& spec,
                                      const Stdio& stdio) = 0;
  // To init, or to every process of the container. NotFound if nothing is left to signal.
  virtual asio::awaitable<void> kill(uint32_t signal, bool all) = 0;
  virtual asio::awaitable<void> pause() = 0;
  virtual asio::awaitable<void> resume() = 0;
  virtual asio::awaitable<void> update(std::string resources_json) = 0;
  virtual asio::awaitable<std::vector<pid_t>> processes() = 0;
  // What is gone already counts as removed. `force` kills what still runs.
  virtual asio::awaitable<void> remove(bool force) = 0;
};

}  // namespace flox::shim
