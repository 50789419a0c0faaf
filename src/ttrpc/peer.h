// The process at the other end of a Unix socket, held by descriptors.
//
// A process's number says who it is only while it runs: a later process may get the same one. What is read
// through a PeerProcess is of the process that connected, or nothing.
#pragma once

#include <string>

#include "base/os/fd.h"
#include "ttrpc/socket.h"

namespace flox::ttrpc {

// Movable. One thread at a time.
class PeerProcess {
 public:
  enum class Way {
    best,       // SO_PEERPIDFD, where the kernel has it (Linux 6.5)
    by_number,  // SO_PEERCRED and pidfd_open, and a look at the time at which the process started
  };

  // Of the process that called connect(2): one that was handed the socket later is somebody else's guest.
  // Throws Error(untrusted) if that process is gone or is not of our pid namespace. By number, a process that
  // started after the object's making began cannot be the one that connected, and is refused too.
  explicit PeerProcess(int socket, Way way = Way::best);

  const Peer& peer() const noexcept { return peer_; }
  // A file of /proc/PID, as "cgroup". Throws Error: untrusted if the process has been reaped meanwhile,
  // invalid_input if the file has more than `limit` bytes.
  std::string read(const char* file, size_t limit = 64 << 10) const;

 private:
  void check_alive() const;
  Peer peer_;
  Fd pidfd_;
  Fd directory_;  // /proc/PID
};

}  // namespace flox::ttrpc
