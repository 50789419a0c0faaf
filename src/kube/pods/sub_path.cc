#include "kube/pods/sub_path.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "base/error.h"
#include "base/os/directory.h"
#include "kube/reading/names.h"

namespace flox::kube {
namespace {

// -1 with errno as open(2) has it.
int open_beneath(int volume, const std::string& path) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  while (true) {
    const long fd = ::syscall(SYS_openat2, volume, path.c_str(), &how, sizeof how);
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
      return static_cast<int>(fd);  // EAGAIN: a rename meanwhile
  }
}

Fd open_within(const Directory& volume, const std::string& path) {
  int fd = open_beneath(volume.fd(), path);
  if (fd < 0 && errno == ENOENT) {
    // What is made has the mode and, through setgid, the group of the volume itself.
    struct stat status {};
    if (::fstat(volume.fd(), &status) != 0) fail_errno(errno, "examining {}", volume.name());
    const Directory made = volume.make_directory(path, 0700);
    if (::fchmod(made.fd(), status.st_mode & 07777) != 0) fail_errno(errno, "setting the mode of {}", path);
    fd = open_beneath(volume.fd(), path);
  }
  if (fd >= 0) return Fd(fd);
  if (errno == EXDEV || errno == ELOOP)
    fail(ErrorKind::untrusted, "subPath {} leads out of the volume", path);
  if (errno == ENOSYS || errno == EPERM) return volume.open(path, O_PATH);  // no links at all, then
  fail_errno(errno, "opening subPath {}", path);
}

// "\040" and the like, as /proc/self/mountinfo writes spaces.
std::string unescape(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::vector<std::string> mounts_below(const fs::path& directory) {
  std::vector<std::string> found;
  std::istringstream lines(read_file("/proc/self/mountinfo"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word;
    for (int i = 0; i < 5; ++i) words >> word;
    if (const std::string path = unescape(word); path.starts_with(directory.string() + "/"))
      found.push_back(path);
  }
  return found;
}

}  // namespace

std::string bind_sub_path(const SubPath& sub_path, const StateDir& state) {
  if (!is_descending_path(sub_path.sub_path))
    fail(ErrorKind::invalid_input, "subPath {} is not a path inside the volume", sub_path.sub_path);
  const Directory volume{fs::path(sub_path.volume_path)};
  const Fd source = open_within(volume, sub_path.sub_path);
  struct stat status {};
  if (::fstat(source.get(), &status) != 0) fail_errno(errno, "examining subPath {}", sub_path.sub_path);
  if (S_ISLNK(status.st_mode))
    fail(ErrorKind::untrusted, "subPath {} leads out of the volume", sub_path.sub_path);

  const fs::path place =
      state.pod_dir(sub_path.pod_uid) / "subpaths" / file_name(sub_path.container, "container");
  const std::string name = std::to_string(sub_path.index);
  const Directory directory =
      state.pods_directory().make_directory(sub_path.pod_uid + "/subpaths/" + sub_path.container, 0700);
  // What an earlier start of the container left.
  while (::umount2((place / name).c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
  }
  directory.remove(name);
  if (S_ISDIR(status.st_mode))
    directory.make_directory(name, 0700);
  else
    directory.create_file(name, "", 0600);
  const std::string by_descriptor = fmt::format("/proc/self/fd/{}", source.get());
  if (::mount(by_descriptor.c_str(), (place / name).c_str(), nullptr, MS_BIND, nullptr) != 0)
    fail_errno(errno, "binding subPath {}", sub_path.sub_path);
  return place / name;
}

void unmount_below(const fs::path& directory) {
  std::vector<std::string> mounts = mounts_below(directory);
  std::reverse(mounts.begin(), mounts.end());  // the later ones may stand on the earlier
  for (const auto& mount : mounts)
    if (::umount2(mount.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno != EINVAL)
      fail_errno(errno, "unmounting {}", mount);
  if (!mounts_below(directory).empty())
    fail(ErrorKind::unavailable, "{}: something is still mounted below it", directory.string());
}

}  // namespace flox::kube
