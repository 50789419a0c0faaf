#include "store/local/path_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"

namespace flox::store {

bool lock_file(int fd, int operation, bool wait, const std::filesystem::path& shown) {
  while (::flock(fd, operation | (wait ? 0 : LOCK_NB)) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) fail_errno(errno, "locking {}", shown.string());
  }
  return true;
}

PathLock::PathLock(const std::filesystem::path& path) : file_(path.string() + ".lock") { take(true); }

std::optional<PathLock> PathLock::try_take(const std::filesystem::path& path) {
  PathLock lock;
  lock.file_ = path.string() + ".lock";
  if (!lock.take(false)) return std::nullopt;
  return lock;
}

bool PathLock::take(bool wait) {
  for (;;) {
    Fd fd = open_file(file_.string(), O_RDWR | O_CREAT, 0600);
    if (!lock_file(fd.get(), LOCK_EX, wait, file_)) return false;
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) fail_errno(errno, "locking {}", file_.string());
    if (status.st_size != 0) continue;  // its last holder removed the file while we waited: lock the new one
    fd_ = std::move(fd);
    return true;
  }
}

PathLock::~PathLock() {
  if (!fd_) return;
  ::unlink(file_.c_str());
  // Whoever waits for this very file learns that it is gone. If the write fails they hold a lock on a file
  // without a name, which Nix lives with as well.
  [[maybe_unused]] const ssize_t written = ::write(fd_.get(), "d", 1);
}

}  // namespace flox::store
