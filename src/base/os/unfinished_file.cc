#include "base/os/unfinished_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <tuple>

#include "base/error.h"
#include "base/os/beside.h"

namespace flox {

UnfinishedFile::UnfinishedFile(const Directory& directory, const std::string& name, unsigned mode)
    : directory_(directory),
      name_(file_name(name, "the file")),
      fd_(::openat(directory.fd(), ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, mode)) {
  if (fd_)
    ::flock(fd_.get(), LOCK_EX);  // as files beside are
  else
    std::tie(fd_, temporary_) = make_file_beside(directory, name_, mode);
}

UnfinishedFile::~UnfinishedFile() {
  if (!temporary_.empty()) ::unlinkat(directory_.fd(), temporary_.c_str(), 0);
}

bool UnfinishedFile::link(const std::string& name) {
  // open(2) has it so: by the descriptor itself it takes a capability.
  const std::string open_file = fmt::format("/proc/self/fd/{}", fd_.get());
  const int done =
      temporary_.empty()
          ? ::linkat(AT_FDCWD, open_file.c_str(), directory_.fd(), name.c_str(), AT_SYMLINK_FOLLOW)
          : ::linkat(directory_.fd(), temporary_.c_str(), directory_.fd(), name.c_str(), 0);
  if (done != 0 && errno != EEXIST) fail_errno(errno, "making {} in {}", name, directory_.name());
  return done == 0;
}

void UnfinishedFile::replace() {
  if (temporary_.empty())
    temporary_ =
        take_name_beside(directory_, name_, [this](const std::string& beside) { return link(beside); });
  directory_.rename(temporary_, directory_, name_);
  temporary_.clear();
}

void UnfinishedFile::create() {
  if (!link(name_)) fail(ErrorKind::conflict, "making {} in {}: it exists already", name_, directory_.name());
}

}  // namespace flox
