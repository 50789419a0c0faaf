#include "package/build/out_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/os/directory.h"

namespace flox::package {

OutDirectory::OutDirectory(const std::string& placeholder, const std::string& name)
    : path_(fmt::format("/tmp/store_{}-{}", placeholder, name)) {
  in_context("making $out at " + path_.string(), [&] {
    while (!hold()) continue;     // whoever held it before has removed it
    const Directory left(path_);  // by a build that was killed with all that waited for its end
    for (const std::string& entry : left.names()) left.remove(entry);
    if (::fchmod(lock_.get(), 0755) != 0) fail_errno(errno, "setting its mode");
    goes_.emplace(path_);
  });
}

bool OutDirectory::hold() {
  if (::mkdir(path_.c_str(), 0755) != 0 && errno != EEXIST) fail_errno(errno, "making it");
  lock_.reset(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!lock_ && errno == ENOENT) return false;
  struct stat held {
  }, there{};
  if (!lock_ || ::fstat(lock_.get(), &held) != 0 || held.st_uid != ::geteuid())
    fail(ErrorKind::conflict, "it belongs to another user, and the build needs this directory");
  while (::flock(lock_.get(), LOCK_EX) != 0)
    if (errno != EINTR) fail_errno(errno, "locking it");
  return ::lstat(path_.c_str(), &there) == 0 && there.st_ino == held.st_ino && there.st_dev == held.st_dev;
}

}  // namespace flox::package
