#include "base/os/fd.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/error.h"

namespace flox {

void Fd::reset(int fd) noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail_errno(errno, "making a pipe");
  return {Fd(ends[0]), Fd(ends[1])};
}

Fd open_file(const std::string& path, int flags, unsigned mode) {
  int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  if (fd < 0) fail_errno(errno, "opening {}", path);
  return Fd(fd);
}

void write_all(int fd, std::string_view data) {
  while (!data.empty()) {
    ssize_t written = ::write(fd, data.data(), data.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      fail_errno(errno, "writing");
    }
    data.remove_prefix(static_cast<size_t>(written));
  }
}

void write_all_at(int fd, std::string_view data, uint64_t offset) {
  while (!data.empty()) {
    const ssize_t written = ::pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail_errno(written < 0 ? errno : ENOSPC, "writing");
    data.remove_prefix(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
}

size_t read_some(int fd, char* buffer, size_t size) {
  for (;;) {
    ssize_t got = ::read(fd, buffer, size);
    if (got >= 0) return static_cast<size_t>(got);
    if (errno != EINTR) fail_errno(errno, "reading");
  }
}

size_t read_at(int fd, char* buffer, size_t size, uint64_t offset) {
  size_t got = 0;
  while (got < size) {
    const ssize_t count = ::pread(fd, buffer + got, size - got, static_cast<off_t>(offset + got));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_errno(errno, "reading");
    if (count == 0) break;
    got += static_cast<size_t>(count);
  }
  return got;
}

std::string read_all(int fd) {
  std::string data;
  std::array<char, 65536> buffer;
  while (size_t got = read_some(fd, buffer.data(), buffer.size())) data.append(buffer.data(), got);
  return data;
}

}  // namespace flox
