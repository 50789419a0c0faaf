// containerd's Sandbox service (sandbox_v1.proto) on the sandbox of this shim.
#pragma once

#include <functional>

#include "shim/process/idle_memory.h"
#include "shim/sandbox/sandbox.h"
#include "ttrpc/server.h"

namespace flox::shim {

class SandboxService {
 public:
  // `removed` is called when containerd wants no sandbox any more, whether there was one or not.
  SandboxService(Sandbox& sandbox, IdleMemory& idle_memory, std::function<void()> removed)
      : sandbox_(sandbox), idle_memory_(idle_memory), removed_(std::move(removed)) {}
  // Makes all methods known to the server, which must not outlive this object.
  void serve(ttrpc::Server& server);

 private:
  template <typename RequestMessage, typename ResponseMessage, typename Body>
  void method(ttrpc::Server& server, const ttrpc::Method<RequestMessage, ResponseMessage>& rpc, Body body,
              bool is_activity = true);

  Sandbox& sandbox_;
  IdleMemory& idle_memory_;
  std::function<void()> removed_;
};

}  // namespace flox::shim
