#include "base/os/opened_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace flox {

bool is_own(const Fd& fd) noexcept {
  struct stat status {};
  return ::fstat(fd.get(), &status) == 0 && status.st_uid == ::geteuid();
}

bool has_name(const Fd& fd, int directory, const char* name) noexcept {
  struct stat opened {};
  struct stat named {};
  return ::fstat(fd.get(), &opened) == 0 && ::fstatat(directory, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

}  // namespace flox
