#include "ttrpc/socket.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/error.h"

namespace flox::ttrpc {
namespace {

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    fail(ErrorKind::invalid_input, "socket path {} has {} bytes; a Unix socket's path has 1 to {}", path,
         path.size(), sizeof address.sun_path - 1);
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

const sockaddr* generic(const sockaddr_un& address) { return reinterpret_cast<const sockaddr*>(&address); }

Fd new_socket(int flags) {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  if (!fd) fail_errno(errno, "making a Unix socket");
  return fd;
}

// Held, nobody else of ours makes or takes away a socket in the path's directory: between a look at a socket
// and its replacement no other may come. Released with the descriptor.
Fd lock_directory_of(const std::string& path) {
  const std::string directory = std::filesystem::absolute(path).parent_path();
  Fd lock(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock) fail_errno(errno, "opening {}", directory);
  while (::flock(lock.get(), LOCK_EX) != 0)
    if (errno != EINTR) fail_errno(errno, "locking {}", directory);
  return lock;
}

bool is_listened_at(const sockaddr_un& address) {
  Fd probe = new_socket(SOCK_NONBLOCK);
  return ::connect(probe.get(), generic(address), sizeof address) == 0 ||
         errno == EAGAIN;  // its queue is full
}

}  // namespace

Peer peer_of(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    fail_errno(errno, "asking for the peer's credentials");
  return {credentials.pid, credentials.uid, credentials.gid};
}

Fd listen_at(const std::string& path, unsigned mode) {
  sockaddr_un address = address_of(path);
  const Fd lock = lock_directory_of(path);
  Fd fd = new_socket(SOCK_NONBLOCK);
  ::fchmod(fd.get(),
           mode);  // the file is created with this mode (Linux), so nobody can slip in before the chmod
  if (::bind(fd.get(), generic(address), sizeof address) != 0) {
    if (errno != EADDRINUSE) fail_errno(errno, "listening at {}", path);
    if (is_listened_at(address))
      fail(ErrorKind::conflict, "listening at {}: another process listens there", path);
    ::unlink(path.c_str());
    if (::bind(fd.get(), generic(address), sizeof address) != 0) fail_errno(errno, "listening at {}", path);
  }
  if (::chmod(path.c_str(), mode) != 0) fail_errno(errno, "setting the mode of {}", path);
  if (::listen(fd.get(), SOMAXCONN) != 0) fail_errno(errno, "listening at {}", path);
  return fd;
}

void remove_if_stale(const std::string& path) {
  const sockaddr_un address = address_of(path);
  if (!std::filesystem::exists(path)) return;
  const Fd lock = lock_directory_of(path);
  if (!is_listened_at(address)) ::unlink(path.c_str());
}

Fd connect_to(const std::string& path) {
  std::string file = path.starts_with("unix://") ? path.substr(7) : path;
  sockaddr_un address = address_of(file);
  Fd fd = new_socket(0);
  while (::connect(fd.get(), generic(address), sizeof address) != 0) {
    if (errno == EINTR) continue;
    throw ConnectionError(fmt::format("connecting to {}: {}", file, std::strerror(errno)), false);
  }
  return fd;
}

}  // namespace flox::ttrpc
