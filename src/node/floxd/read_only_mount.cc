#include "node/floxd/read_only_mount.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "base/error.h"
#include "store/local/store_guard.h"

namespace flox::node {
namespace {

namespace fs = std::filesystem;

void require_mount(bool done, const std::string& what) {
  if (done) return;
  const int error = errno;
  throw Error(ErrorKind::unavailable, fmt::format("{}: {}", what, std::generic_category().message(error)),
              "Run floxd as root with CAP_SYS_ADMIN: containers get the store and their socket by read-only "
              "mounts of them.");
}

bool is_same_directory(const fs::path& one, const fs::path& other) {
  struct stat first {};
  struct stat second {};
  return ::stat(one.c_str(), &first) == 0 && ::stat(other.c_str(), &second) == 0 &&
         first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

void mount_read_only(const fs::path& directory, const fs::path& place) {
  const std::string what = fmt::format("mounting {} read-only at {}", directory.string(), place.string());
  fs::create_directories(place);
  if (!is_same_directory(directory, place)) {
    while (::umount2(place.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) continue;
    require_mount(::mount(directory.c_str(), place.c_str(), nullptr, MS_BIND, nullptr) == 0, what);
    // Nothing that is mounted below the directory later, and can be written to, appears here.
    require_mount(::mount(nullptr, place.c_str(), nullptr, MS_PRIVATE, nullptr) == 0, what);
  }
  struct statvfs status {};
  constexpr unsigned long wanted = ST_RDONLY | ST_NOSUID | ST_NODEV;
  if (::statvfs(place.c_str(), &status) == 0 && (status.f_flag & wanted) == wanted) return;
  require_mount(::mount(nullptr, place.c_str(), nullptr,
                        MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, nullptr) == 0,
                what);
}

}  // namespace

const fs::path& ReadOnlyMount::shown() {
  std::scoped_lock lock(mutex_);
  if (!is_mounted_) {
    const store::Writing writing;  // where shims see what is mounted
    mount_read_only(directory_, place_);
    is_mounted_ = true;
  }
  return place_;
}

}  // namespace flox::node
