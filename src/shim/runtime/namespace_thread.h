// A thread that holds a pod's namespaces open, where no process is needed: in /proc its id stands for it as a
// process's would, /proc/ID/ns/net, and no other thread of the shim leaves the node's namespaces.
#pragma once

#include <sys/types.h>

#include <memory>

#include "oci/sandbox_spec.h"

namespace flox::shim {

class NamespaceThread {
 public:
  // Makes and joins the namespaces of the spec, with its hostname and sysctls; network, ipc and uts only.
  // Throws Error; nothing is left then.
  explicit NamespaceThread(const oci::SandboxSpec& spec);
  // Ends it: the namespaces go with the last process in them.
  ~NamespaceThread();
  NamespaceThread(const NamespaceThread&) = delete;
  NamespaceThread& operator=(const NamespaceThread&) = delete;

  pid_t id() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flox::shim
