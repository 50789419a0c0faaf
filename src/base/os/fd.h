// Ownership of file descriptors, and whole-buffer reading and writing on them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace flox {

// Owns a file descriptor and closes it. Movable, not copyable; empty when default-made or moved from.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) noexcept : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    reset(std::exchange(other.fd_, -1));
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  // Closes what is owned and owns `fd` instead.
  void reset(int fd = -1) noexcept;
  // Gives the descriptor away.
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

struct Pipe {
  Fd read_end;
  Fd write_end;
};
// A pipe whose ends are close-on-exec. Throws Error.
Pipe make_pipe();

// open(2) with O_CLOEXEC added. Throws Error naming the path.
Fd open_file(const std::string& path, int flags, unsigned mode = 0666);

// Writes all of `data`, resuming after short writes and EINTR. Throws Error.
void write_all(int fd, std::string_view data);
// The same from this byte of a file on, wherever the descriptor stands.
void write_all_at(int fd, std::string_view data, uint64_t offset);
// Reads until end of file. Throws Error.
std::string read_all(int fd);
// Reads at most `size` bytes, retrying on EINTR; 0 means end of file. Throws Error.
size_t read_some(int fd, char* buffer, size_t size);
// Reads from this byte of a file on, wherever the descriptor stands: how many bytes, fewer than `size` only
// at the file's end. Throws Error.
size_t read_at(int fd, char* buffer, size_t size, uint64_t offset);

}  // namespace flox
