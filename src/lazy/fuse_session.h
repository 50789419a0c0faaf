// Answers the kernel's requests for a mount of store paths, over its FUSE device.
#pragma once

#include <memory>

#include "base/os/fd.h"

namespace flox::lazy {

class MountedPaths;

class FuseSession {
 public:
  // `device` is a FuseMount's, or a copy of it. `paths` must outlive the session.
  FuseSession(Fd device, MountedPaths& paths);
  ~FuseSession();
  FuseSession(const FuseSession&) = delete;
  FuseSession& operator=(const FuseSession&) = delete;

  // Has the kernel send again what an earlier session of this mount read and did not answer; before serve().
  // Its readers have waited since. Throws Error: before Linux 6.9 it cannot be done.
  void take_over() const;
  // Reads and answers requests until the mount ends or stop() is called. Several threads may call it; a
  // request whose bytes are not there holds none of them.
  void serve();
  // Makes serve() return on all threads. What was read and not answered stays with the kernel.
  void stop();

  struct State;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace flox::lazy
