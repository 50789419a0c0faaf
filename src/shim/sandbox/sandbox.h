// The pod's sandbox where containerd's sandbox API is in use: one per shim, which is all there is of it
// (docs/ formats/sandbox.md). A thread of the shim holds the pod's namespaces; only where its containers
// share a pid namespace, that needs a first process, and the pod gets the pause process (pause_process.h).
// Nothing of it outlives the shim but the mount that containerd unmounts with the bundle.
//
//   absent --create--> created --start--> ready --stop, end of the pause process--> stopped
//      ^                  |                 |                                          |
//      '------------------+----remove-------+------------------------------------------'
//
// On the shim's one thread. Errors are ttrpc::StatusError or Error.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "shim/cgroup/cgroup.h"
#include "shim/process/children.h"
#include "shim/protocol/sandbox.pb.h"
#include "shim/runtime/namespace_thread.h"
#include "shim/sandbox/pod_cgroup.h"
#include "shim/sandbox/pod_config.h"
#include "shim/sandbox/pod_files.h"

namespace flox::shim {

class Sandbox {
 public:
  Sandbox(Executor executor, Children& children) : executor_(std::move(executor)), children_(children) {}

  // False for a shim whose pod has a pause container, or none yet.
  bool exists() const noexcept { return pod_ != nullptr; }
  // Throws AlreadyExists.
  void create(const wire::CreateSandboxRequest& request);

  // These throw NotFound for an id that is not the sandbox's.
  // Makes the namespaces and the pod's files. The id of who holds them.
  asio::awaitable<pid_t> start(std::string id);
  // Ends who holds them. Stopped already is fine.
  asio::awaitable<void> stop(std::string id);
  // Its end; nothing if it has not ended in time.
  asio::awaitable<std::optional<wire::WaitResponse>> wait(std::string id, Milliseconds limit);
  void check(const std::string& id) const;
  wire::SandboxStatusResponse status(const std::string& id, bool verbose) const;
  wire::Metric metrics(const std::string& id) const;

  // Stops it, if there is one, and forgets it.
  asio::awaitable<void> remove();

  // What a container of the pod is given of it; other containers' specs stay as they are. True if it was
  // changed. Throws Error(invalid_input) for a container that wants to share a pid namespace which this pod
  // does not have: the holder's is the node's.
  bool add_to(oci::RuntimeSpec& spec) const;

 private:
  enum class State { created, ready, stopped };
  struct Pod {
    Pod(const Executor& executor, const wire::CreateSandboxRequest& request);
    void ends(int status, WallTime at);

    const std::string id;
    const std::filesystem::path bundle;
    const std::string netns;
    const PodConfig config;
    const PodFiles files;
    const Cgroup figures;  // of the pod's cgroup, if it has one
    State state = State::created;
    std::unique_ptr<PodCgroup> cgroup;
    std::unique_ptr<NamespaceThread> thread;
    std::shared_ptr<Exit> pause;  // the end of the pause process
    pid_t holder = 0;
    WallTime created_at, exited_at;
    int exit_status = 0;
    Event ended;
  };
  std::shared_ptr<Pod> find(const std::string& id) const;
  static void enter_cgroup(Pod& pod);
  void start_holder(const std::shared_ptr<Pod>& pod);
  void start_pause(const std::shared_ptr<Pod>& pod, oci::SandboxSpec spec);
  static asio::awaitable<void> watch_pause(std::shared_ptr<Pod> pod);
  static asio::awaitable<void> stop(std::shared_ptr<Pod> pod);

  Executor executor_;
  Children& children_;
  std::shared_ptr<Pod> pod_;
};

}  // namespace flox::shim
