// Containers by an OCI runtime: its commands, run one by one.
#pragma once

#include "shim/process/children.h"
#include "shim/runtime/container_runtime.h"
#include "shim/runtime/options.h"

namespace flox::shim {

class OciRuntime : public ContainerRuntime {
 public:
  OciRuntime(Children& children, const RuntimeOptions& options, const std::string& namespace_name,
             std::string id, fs::path bundle);

  asio::awaitable<pid_t> create(const Stdio& stdio, Milliseconds limit) override;
  asio::awaitable<void> start() override;
  asio::awaitable<pid_t> restore(const Stdio& stdio, oci::Runtime::Checkpoint from) override;
  asio::awaitable<void> checkpoint(oci::Runtime::Checkpoint how) override;
  asio::awaitable<pid_t> exec(std::string exec_id, const oci::ProcessSpec& spec, const Stdio& stdio) override;
  asio::awaitable<void> kill(uint32_t signal, bool all) override;
  asio::awaitable<void> pause() override;
  asio::awaitable<void> resume() override;
  asio::awaitable<void> update(std::string resources_json) override;
  asio::awaitable<std::vector<pid_t>> processes() override;
  asio::awaitable<void> remove(bool force) override;

 private:
  // Runs a command and gives what it printed; throws its error with `what` in front.
  asio::awaitable<std::string> run(oci::Argv argv, std::string what, std::string input, Milliseconds limit);
  // The same for commands whose stdio is the container's: the pid that they wrote.
  asio::awaitable<pid_t> run_with_stdio(oci::Argv argv, const Stdio& stdio, std::string what,
                                        fs::path pid_file, Milliseconds limit);
  // Commands of one container can run at the same time, so each has a log of its own.
  fs::path next_log();
  Spawn spawn_of(oci::Argv argv, const fs::path& log, Milliseconds limit) const;

  Children& children_;
  oci::Runtime runtime_;
  std::string id_;
  fs::path bundle_;
  unsigned commands_ = 0;
};

}  // namespace flox::shim
