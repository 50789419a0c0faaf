#include "shim/io/console.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "ttrpc/socket.h"

namespace flox::shim {
namespace {

fs::path parent_directory() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  return runtime != nullptr && *runtime != '\0' ? runtime : "/tmp";
}

}  // namespace

ConsoleSocket::ConsoleSocket()
    : directory_("pty", parent_directory()), listening_(ttrpc::listen_at(path())) {}

Fd ConsoleSocket::receive() {
  Fd connection(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!connection) fail_errno(errno, "the OCI runtime did not connect to the console socket");
  std::array<char, 4096> name;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  iovec data{name.data(), name.size()};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (::recvmsg(connection.get(), &message, MSG_CMSG_CLOEXEC) < 0)
    fail_errno(errno, "receiving the terminal");
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
    fail(ErrorKind::internal, "the OCI runtime sent no terminal on the console socket");
  int terminal = -1;
  std::memcpy(&terminal, CMSG_DATA(header), sizeof terminal);
  return Fd(terminal);
}

}  // namespace flox::shim
