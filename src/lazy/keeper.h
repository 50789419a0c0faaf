// Keeps a mount's FUSE device open while floxd, who answers its requests, ends and is started again.
//
// The keeper is a program of its own (flox-lazy-keeper) that reads nothing of the device and nothing of the
// network. While it or floxd has the device open, a reader whose bytes are not there waits; when neither has,
// the kernel ends the mount, and every read of it fails with ENOTCONN.
//
// Protocol, on a SOCK_SEQPACKET socket on which only the keeper's own user is served: one message and one
// answer.
//
//   "take"            asks for the device; the keeper mounts if it has none
//   "keep" terms fd   hands the device to a keeper that was started anew
//   answer            terms fd, to "take"; "kept"; or "error" TEXT
//   terms             most-read (4 bytes, least significant first), resend (1 byte)
#pragma once  // Not fuzzed: both sides are one user's, and a message is compared as a whole.

#include <filesystem>

#include "base/os/fd.h"
#include "lazy/fuse_session.h"

namespace flox::lazy {

// Serves until `stop` becomes readable, then detaches the mount. Throws Error. One thread.
void keep_mount(const std::filesystem::path& directory, const std::filesystem::path& socket, int stop);

// Gets the device from a keeper. Throws Error(unavailable) if there is no keeper.
FuseMount take_mount(const std::filesystem::path& socket);
// Gives the device to a keeper. Throws Error(conflict) if it has another one.
void give_mount(const std::filesystem::path& socket, const FuseMount& mount);

}  // namespace flox::lazy
