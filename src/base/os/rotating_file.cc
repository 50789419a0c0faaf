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
  fd_ = Fd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
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

// Another name, or none, stands for what an operator has moved away.
bool RotatingFile::is_moved() const {
  struct stat open_one {
  }, named{};
  return ::fstat(fd_.get(), &open_one) != 0 || ::lstat(path_.c_str(), &named) != 0 ||
         named.st_ino != open_one.st_ino || named.st_dev != open_one.st_dev;
}

void RotatingFile::add(std::string_view line) {
  const std::string text = std::string(line) + "\n";
  const std::scoped_lock lock(mutex_);
  if (is_moved()) open();
  if (max_bytes_ != 0 && size_ > 0 && size_ + text.size() > max_bytes_) rotate();
  ssize_t count = 0;
  do count = ::write(fd_.get(), text.data(), text.size());
  while (count < 0 && errno == EINTR);
  if (count == static_cast<ssize_t>(text.size())) {
    size_ += text.size();
    return;
  }
  const int error = count < 0 ? errno : ENOSPC;
  if (count > 0 && ::ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0)
    fail_errno(errno, "writing {}", path_.string());
  fail_errno(error, "writing {}", path_.string());
}

}  // namespace flox
