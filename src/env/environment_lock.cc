#include "env/environment_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/printable.h"

namespace flox::env {
namespace {

constexpr const char* lock_name = "lock";

// Somebody else's file may be for reading only, which is enough for a lock.
Fd open_lock_file(const Directory& run) {
  try {
    return run.open(lock_name, O_RDWR | O_CREAT | O_NONBLOCK | O_NOCTTY, 0644);
  } catch (const Error&) {
    if (!run.exists(lock_name)) throw;
    return run.open(lock_name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  }
}

bool is_the_file(const Fd& fd, const Directory& run) {
  struct stat mine {};
  if (::fstat(fd.get(), &mine) != 0) fail_errno(errno, "examining the lock of {}", run.name());
  const auto there = run.status(lock_name);
  return there && there->st_dev == mine.st_dev && there->st_ino == mine.st_ino;
}

std::string holder_in(const Fd& fd) {
  std::string text(200, '\0');
  const ssize_t size = ::pread(fd.get(), text.data(), text.size(), 0);
  text.resize(size > 0 ? static_cast<size_t>(size) : 0);
  text.erase(std::min(text.find('\n'), text.size()));
  return text.empty() ? "another command" : printable(text);
}

void wait_for(const Fd& fd, const Directory& run, const EnvironmentLock::Waiting& waiting) {
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return;
  if (errno == EWOULDBLOCK && waiting) waiting(holder_in(fd));
  while (::flock(fd.get(), LOCK_EX) != 0)
    if (errno != EINTR) fail_errno(errno, "locking {}", run.name());
}

}  // namespace

EnvironmentLock::EnvironmentLock(const Directory& files, std::string_view doing, const Waiting& waiting) {
  const Directory run = files.make_directory("run");
  // Whoever cleans .flox/run removes the file: then a lock on it says nothing, and the new one is taken.
  do {
    fd_ = open_lock_file(run);
    struct stat status {};
    if (::fstat(fd_.get(), &status) != 0) fail_errno(errno, "examining the lock of {}", run.name());
    if (!S_ISREG(status.st_mode))
      fail(ErrorKind::untrusted, "locking {}: {} is not a regular file", run.name(), lock_name);
    wait_for(fd_, run, waiting);
  } while (!is_the_file(fd_, run));
  // For people only: a file that cannot be written to is as good a lock.
  const std::string holder = fmt::format("{} (process {})\n", doing, ::getpid());
  if (::ftruncate(fd_.get(), 0) == 0) (void)!::pwrite(fd_.get(), holder.data(), holder.size(), 0);
}

EnvironmentLock::~EnvironmentLock() {
  if (fd_) (void)!::ftruncate(fd_.get(), 0);
}

}  // namespace flox::env
