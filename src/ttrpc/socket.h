// Unix sockets as ttrpc uses them: listening, connecting, and who is at the other end.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/error.h"
#include "base/os/fd.h"

namespace flox::ttrpc {

// The server is not there, or went away in the middle of a call, of which nobody knows then whether it was
// carried out: Error(unavailable), which a server that answers can send as well, but not as this.
class ConnectionError : public Error {
 public:
  // `connected`: it broke.
  ConnectionError(std::string message, bool connected)
      : Error(ErrorKind::unavailable, std::move(message)), connected_(connected) {}
  bool connected() const noexcept { return connected_; }

 private:
  bool connected_;
};

// Whoever connected, as the kernel tells it (SO_PEERCRED, translated into our process and user namespaces).
struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};
Peer peer_of(int socket);

// A listening stream socket, close-on-exec and non-blocking, whose file has `mode`. A stale file (nobody
// listens) is replaced. Throws Error: conflict if somebody does listen there, invalid_input if the path is
// too long (107).
Fd listen_at(const std::string& path, unsigned mode = 0600);

// Takes away a socket's file that nobody listens at. Throws Error if its directory cannot be locked.
void remove_if_stale(const std::string& path);

// A connected stream socket, close-on-exec. "unix://" in front is taken off. Throws ConnectionError naming
// the socket if nobody listens.
Fd connect_to(const std::string& path);

}  // namespace flox::ttrpc
