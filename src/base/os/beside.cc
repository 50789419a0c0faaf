#include "base/os/beside.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <iterator>
#include <random>

#include "base/error.h"
#include "base/os/opened_file.h"

namespace flox {
namespace {

std::string name_beside(const std::string& name, int attempt) {
  const std::string beginning = "." + name.substr(0, 200);
  if (attempt == 0) return beginning + ".new";
  std::random_device random;
  return fmt::format("{}.{:08x}.new", beginning, random());
}

bool is_regular(const Fd& fd) {
  struct stat opened {};
  return ::fstat(fd.get(), &opened) == 0 && S_ISREG(opened.st_mode);
}

// One that nobody has locked was left. Whoever removes one has the lock, so it is not another's by then. In a
// directory like /tmp one of another user is not what root left.
void remove_left(const Directory& directory, const std::string& name) {
  if (!tells_all_locks(directory.fd())) return;
  const Fd fd(::openat(directory.fd(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (fd && is_regular(fd) && is_own(fd) && ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0 &&
      has_name(fd, directory.fd(), name.c_str()))
    ::unlinkat(directory.fd(), name.c_str(), 0);
}

}  // namespace

bool tells_all_locks(int fd) noexcept {
  // Disks and memory that one kernel alone has. ZFS and bcachefs are not in linux/magic.h.
  constexpr uint32_t own[] = {EXT4_SUPER_MAGIC,      XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC,
                              F2FS_SUPER_MAGIC,      TMPFS_MAGIC,     RAMFS_MAGIC,
                              OVERLAYFS_SUPER_MAGIC, 0x2fc12fc1,      0xca451a4e};
  struct statfs status {};
  return ::fstatfs(fd, &status) == 0 &&
         std::ranges::find(own, static_cast<uint32_t>(status.f_type)) != std::end(own);
}

void remove_left_beside(const Directory& directory, const std::string& name) {
  remove_left(directory, name_beside(file_name(name, "the file"), 0));
}

std::string take_name_beside(const Directory& directory, const std::string& name,
                             const std::function<bool(const std::string&)>& take) {
  file_name(name, "the file");
  constexpr int most_names = 100;
  for (int attempt = 0; attempt < most_names; ++attempt) {
    const std::string beside = name_beside(name, attempt);
    if (take(beside)) return beside;
    remove_left(directory, beside);
    if (take(beside)) return beside;
  }
  fail(ErrorKind::unavailable, "making {} in {}: the names for it are taken again and again", name,
       directory.name());
}

std::pair<Fd, std::string> make_file_beside(const Directory& directory, const std::string& name,
                                            unsigned mode) {
  Fd fd;
  std::string beside = take_name_beside(directory, name, [&](const std::string& offered) {
    fd.reset(::openat(directory.fd(), offered.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                      mode));
    if (!fd && errno == EEXIST) return false;
    if (!fd) fail_errno(errno, "making {} in {}", offered, directory.name());
    ::flock(fd.get(), LOCK_EX);
    return has_name(fd, directory.fd(), offered.c_str());  // else somebody has taken it for one that was left
  });
  return {std::move(fd), std::move(beside)};
}

void replace_file(const Directory& directory, const std::string& name, std::string_view content,
                  unsigned mode, bool synced) {
  const auto [fd, beside] = make_file_beside(directory, name, mode & 0700U);
  try {
    write_all(fd.get(), content);
    if (::fchmod(fd.get(), mode) != 0) fail_errno(errno, "setting the mode");
    if (synced && ::fsync(fd.get()) != 0) fail_errno(errno, "bringing it to the disk");
    if (::renameat(directory.fd(), beside.c_str(), directory.fd(), name.c_str()) != 0)
      fail_errno(errno, "renaming into place");
  } catch (const Error&) {
    ::unlinkat(directory.fd(), beside.c_str(), 0);
    throw;
  }
  if (synced && ::fsync(directory.fd()) != 0) fail_errno(errno, "bringing {} to the disk", directory.name());
}

}  // namespace flox
