#include "base/os/unfinished_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <random>

#include "base/error.h"

namespace flox {
namespace {

std::string beside(const std::string& name) {
  std::random_device random;
  return fmt::format(".{}.{:08x}", name.substr(0, 200), random());
}

}  // namespace

UnfinishedFile::UnfinishedFile(const Directory& directory, const std::string& name, unsigned mode)
    : directory_(directory),
      name_(file_name(name, "the file")),
      temporary_(beside(name_)),
      fd_(::openat(directory.fd(), ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, mode)),
      has_temporary_name_(!fd_) {
  if (has_temporary_name_) fd_ = directory.open(temporary_, O_WRONLY | O_CREAT | O_EXCL, mode);
}

UnfinishedFile::~UnfinishedFile() {
  if (has_temporary_name_) ::unlinkat(directory_.fd(), temporary_.c_str(), 0);
}

bool UnfinishedFile::link(const std::string& name) {
  // open(2) has it so: by the descriptor itself it takes a capability.
  const std::string open_file = fmt::format("/proc/self/fd/{}", fd_.get());
  const int done =
      has_temporary_name_
          ? ::linkat(directory_.fd(), temporary_.c_str(), directory_.fd(), name.c_str(), 0)
          : ::linkat(AT_FDCWD, open_file.c_str(), directory_.fd(), name.c_str(), AT_SYMLINK_FOLLOW);
  if (done != 0 && errno != EEXIST) fail_errno(errno, "making {} in {}", name, directory_.name());
  return done == 0;
}

void UnfinishedFile::replace() {
  if (!has_temporary_name_)
    while (!link(temporary_)) temporary_ = beside(name_);
  has_temporary_name_ = true;
  directory_.rename(temporary_, directory_, name_);
  has_temporary_name_ = false;
}

void UnfinishedFile::create() {
  if (!link(name_)) fail(ErrorKind::conflict, "making {} in {}: it exists already", name_, directory_.name());
}

}  // namespace flox
