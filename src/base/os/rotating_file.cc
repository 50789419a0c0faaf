#include "base/os/rotating_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/error.h"

namespace flox {
namespace {

std::filesystem::path numbered(const std::filesystem::path& path, unsigned number) {
  return number == 0 ? path : std::filesystem::path(fmt::format("{}.{}", path.string(), number));
}

}  // namespace

RotatingFile::RotatingFile(std::filesystem::path path, uint64_t max_bytes, unsigned older)
    : path_(std::move(path)), max_bytes_(max_bytes), older_(older) {
  open();
}

void RotatingFile::open() {
  fd_ = Fd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd_) fail_errno(errno, "opening {}", path_.string());
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0) fail_errno(errno, "opening {}", path_.string());
  if (!S_ISREG(status.st_mode)) fail(ErrorKind::invalid_input, "{} is not a regular file", path_.string());
  size_ = static_cast<uint64_t>(status.st_size);
}

// The last one is replaced. Whatever fails, lines go on into a file that there is.
void RotatingFile::rotate() {
  for (unsigned number = older_; number > 0; --number) {
    const auto from = numbered(path_, number - 1);
    if (::rename(from.c_str(), numbered(path_, number).c_str()) != 0 && errno != ENOENT)
      fail_errno(errno, "renaming {}", from.string());
  }
  if (older_ == 0 && ::unlink(path_.c_str()) != 0 && errno != ENOENT)
    fail_errno(errno, "removing {}", path_.string());
  open();
}

void RotatingFile::add(std::string_view line) {
  const std::string text = std::string(line) + "\n";
  const std::scoped_lock lock(mutex_);
  if (size_ > 0 && size_ + text.size() > max_bytes_) rotate();
  for (size_t at = 0; at < text.size();) {
    const ssize_t count = ::write(fd_.get(), text.data() + at, text.size() - at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_errno(errno, "writing {}", path_.string());
    at += static_cast<size_t>(count);
    size_ += static_cast<uint64_t>(count);
  }
}

}  // namespace flox
