// Answers the kernel's requests for a mount of store paths, over its FUSE device.
#pragma once

#include <memory>
#include <string>

#include "base/os/fd.h"

namespace flox::lazy {

class MountedPaths;

// Mounts an empty read-only file system at `directory`, answers the kernel's first request, and gives the
// device's descriptor: while any copy of it is open, readers wait; when the last is closed, they get
// ENOTCONN, never zeros. Throws Error. Needs CAP_SYS_ADMIN.
Fd mount_fuse(const std::string& directory);

class FuseSession {
 public:
  // `paths` must outlive the session.
  FuseSession(Fd device, MountedPaths& paths);
  ~FuseSession();
  FuseSession(const FuseSession&) = delete;
  FuseSession& operator=(const FuseSession&) = delete;

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
