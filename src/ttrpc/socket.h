// Unix sockets as ttrpc uses them: listening, connecting, and who is at the other end.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/os/fd.h"

namespace flox::ttrpc {

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

// A connected stream socket, close-on-exec. "unix://" in front is taken off. Throws Error(unavailable) naming
// the socket if nobody listens.
Fd connect_to(const std::string& path);

}  // namespace flox::ttrpc
