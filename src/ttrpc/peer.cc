#include "ttrpc/peer.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <ctime>

#include "base/error.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77  // Linux 6.5; newer than Debian 12's headers
#endif

namespace flox::ttrpc {
namespace {

[[noreturn]] void gone(pid_t pid) {
  fail(ErrorKind::untrusted, "process {} has ended since it connected", pid);
}

// Empty on a kernel that does not know the option.
Fd pidfd_of_socket(int socket, pid_t pid) {
  int fd = -1;
  socklen_t size = sizeof fd;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &fd, &size) == 0) return Fd(fd);
  if (errno == ENOPROTOOPT || errno == EOPNOTSUPP) return Fd();
  if (errno == ESRCH || errno == EINVAL) gone(pid);
  fail_errno(errno, "asking for the peer's process");
}

// Clock ticks after the machine's start (proc_pid_stat(5), field 22).
uint64_t start_ticks(const std::string& stat) {
  size_t at = stat.rfind(')');  // the name before it may hold anything
  constexpr int fields_behind_name = 20;
  for (int field = 0; at != std::string::npos && field < fields_behind_name; ++field)
    at = stat.find(' ', at + 1);
  uint64_t ticks = 0;
  if (at == std::string::npos ||
      std::from_chars(stat.data() + at + 1, stat.data() + stat.size(), ticks).ec != std::errc())
    fail(ErrorKind::internal, "/proc/PID/stat: no start time");
  return ticks;
}

uint64_t ticks_now() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  const auto per_second = static_cast<uint64_t>(::sysconf(_SC_CLK_TCK));
  return static_cast<uint64_t>(now.tv_sec) * per_second +
         static_cast<uint64_t>(now.tv_nsec) * per_second / 1'000'000'000;
}

}  // namespace

PeerProcess::PeerProcess(int socket, Way way) : peer_(peer_of(socket)) {
  const uint64_t begin = ticks_now();
  if (peer_.pid <= 0) fail(ErrorKind::untrusted, "the client is not a process of this pid namespace");
  if (way == Way::best) pidfd_ = pidfd_of_socket(socket, peer_.pid);
  const bool by_number = !pidfd_;
  if (by_number) {
    pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, peer_.pid, 0)));
    if (!pidfd_ && errno == ESRCH) gone(peer_.pid);
    if (!pidfd_) fail_errno(errno, "holding process {}", peer_.pid);
  }
  const std::string path = fmt::format("/proc/{}", peer_.pid);
  directory_.reset(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory_ && errno == ENOENT) gone(peer_.pid);
  if (!directory_) fail_errno(errno, "opening {}", path);
  // As long as the process has not been reaped nobody else has its number: the directory is its own.
  check_alive();
  if (by_number && start_ticks(read("stat")) > begin) gone(peer_.pid);
}

void PeerProcess::check_alive() const {
  if (::syscall(SYS_pidfd_send_signal, pidfd_.get(), 0, nullptr, 0) != 0 && errno != EPERM) gone(peer_.pid);
}

std::string PeerProcess::read(const char* file, size_t limit) const {
  const Fd fd(::openat(directory_.get(), file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) gone(peer_.pid);
  std::string text;
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) gone(peer_.pid);  // ESRCH
    if (got == 0) break;
    text.append(buffer.data(), static_cast<size_t>(got));
    if (text.size() > limit)
      fail(ErrorKind::invalid_input, "/proc/{}/{} has more than {} bytes", peer_.pid, file, limit);
  }
  check_alive();
  return text;
}

}  // namespace flox::ttrpc
