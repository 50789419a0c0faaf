// A pod's sandbox without an OCI runtime: its cgroup, its namespaces and its pause process, made by the shim
// itself. A pod starts 30 ms sooner than with runc's create, start and delete (bench/shim.sh pods).
#pragma once

#include <memory>

#include "shim/cgroup/sandbox_cgroup.h"
#include "shim/process/children.h"
#include "shim/runtime/container_runtime.h"
#include "shim/runtime/options.h"
#include "shim/runtime/pause_process.h"

namespace flox::shim {

class PauseRuntime : public ContainerRuntime {
 public:
  // Nothing if this container is not CRI's plain sandbox, if the node names an OCI runtime that isolates by
  // itself, or if FLOX_SANDBOX=oci is set: the OCI runtime is to make it.
  static std::unique_ptr<PauseRuntime> for_sandbox(const oci::RuntimeSpec& spec,
                                                   const RuntimeOptions& options, const Executor& executor,
                                                   const fs::path& bundle);
  // What the pod of a shim that was killed left behind; nothing to do if this bundle has none. Throws Error.
  static void remove_leftovers(const fs::path& bundle);

  asio::awaitable<pid_t> create(const Stdio& stdio, Milliseconds limit) override;
  asio::awaitable<void> start() override;
  asio::awaitable<void> kill(uint32_t signal, bool all) override;
  asio::awaitable<void> pause() override;
  asio::awaitable<void> resume() override;
  asio::awaitable<std::vector<pid_t>> processes() override;
  asio::awaitable<void> remove(bool force) override;
  // A sandbox has nothing to execute, update or save. Unimplemented.
  asio::awaitable<pid_t> restore(const Stdio& stdio, oci::Runtime::Checkpoint from) override;
  asio::awaitable<void> checkpoint(oci::Runtime::Checkpoint how) override;
  asio::awaitable<pid_t> exec(std::string exec_id, const oci::ProcessSpec& spec, const Stdio& stdio) override;
  asio::awaitable<void> update(std::string resources_json) override;

 private:
  PauseRuntime(const Executor& executor, oci::SandboxSpec spec, fs::path bundle)
      : executor_(executor), spec_(std::move(spec)), bundle_(std::move(bundle)) {}
  // What the process says next; nothing when it has closed its end.
  asio::awaitable<std::optional<PauseReport>> next_report();
  void save_state() const;

  Executor executor_;
  oci::SandboxSpec spec_;
  fs::path bundle_;
  std::unique_ptr<SandboxCgroup> cgroup_;
  PauseProcess process_;
  std::unique_ptr<asio::posix::stream_descriptor> report_;
};

}  // namespace flox::shim
