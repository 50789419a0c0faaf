#include "lazy/fuse_mount.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace flox::lazy {
namespace {

static_assert(request_room >= FUSE_MIN_READ_BUFFER + most_read);
// linux/fuse.h since 7.40.
constexpr uint64_t has_resend = uint64_t{1} << 39;

// Answers the kernel's first request. Gives whether it can send requests again.
bool agree(const Fd& device) {
  pollfd first{device.get(), POLLIN, 0};
  poll(&first, 1, -1);
  std::string request(request_room, '\0');
  const size_t got = read_some(device.get(), request.data(), request.size());
  fuse_in_header header;
  fuse_init_in in{};
  if (got < sizeof header) fail(ErrorKind::internal, "the kernel's first request has {} bytes", got);
  std::memcpy(&header, request.data(), sizeof header);
  std::memcpy(&in, request.data() + sizeof header, std::min(sizeof in, got - sizeof header));
  if (header.opcode != FUSE_INIT || in.major != FUSE_KERNEL_VERSION || in.minor < 36)
    fail(ErrorKind::unavailable, "this kernel speaks FUSE {}.{}; 7.36 (Linux 5.17) or newer is needed",
         in.major, in.minor);
  const uint64_t offered = in.flags | uint64_t{in.flags2} << 32;
  const uint64_t wanted = FUSE_ASYNC_READ | FUSE_PARALLEL_DIROPS | FUSE_MAX_PAGES | FUSE_CACHE_SYMLINKS |
                          FUSE_NO_OPEN_SUPPORT | FUSE_NO_OPENDIR_SUPPORT | FUSE_INIT_EXT | has_resend;
  const uint64_t agreed = offered & wanted;
  fuse_init_out out{};
  out.major = FUSE_KERNEL_VERSION;
  out.minor = std::min<uint32_t>(in.minor, 40);
  out.max_readahead = std::min(in.max_readahead, most_read);
  out.flags = static_cast<uint32_t>(agreed);
  out.flags2 = static_cast<uint32_t>(agreed >> 32);
  out.max_background = 256;
  out.congestion_threshold = 192;
  out.max_write = most_read;
  out.max_pages = most_read / 4096;
  const fuse_out_header answer{static_cast<uint32_t>(sizeof answer + sizeof out), 0, header.unique};
  const iovec parts[] = {{const_cast<fuse_out_header*>(&answer), sizeof answer}, {&out, sizeof out}};
  if (writev(device.get(), parts, 2) < 0) fail_errno(errno, "answering the kernel's first request");
  return (agreed & has_resend) != 0;
}

// Each of them is an option of the file system's.
Fd new_mount(const Fd& device) {
  const Fd context(fsopen("fuse", FSOPEN_CLOEXEC));
  if (!context) fail_errno(errno, "making a FUSE file system");
  const auto set = [&](const char* key, const char* value) {
    const unsigned command = value == nullptr ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;
    if (fsconfig(context.get(), command, key, value, 0) != 0)
      fail_errno(errno, "making a FUSE file system: setting {}", key);
  };
  set("fd", std::to_string(device.get()).c_str());
  set("rootmode", "40555");
  set("user_id", "0");
  set("group_id", "0");
  set("allow_other", nullptr);
  set("default_permissions", nullptr);
  set("source", "flox");
  set("subtype", "flox");
  set("ro", nullptr);
  if (fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    fail_errno(errno, "making a FUSE file system");
  Fd mount(fsmount(context.get(), FSMOUNT_CLOEXEC,
                   MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOATIME));
  if (!mount) fail_errno(errno, "making a mount of a FUSE file system");
  return mount;
}

// Of the mount in which the descriptor is; 0 if it cannot be told. Asks no server of the mount.
uint64_t number_of(const Fd& fd) noexcept {
  struct statx status {};
  return ::statx(fd.get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &status) == 0
             ? status.stx_mnt_id
             : 0;
}

}  // namespace

FuseMount::FuseMount(const std::string& directory)
    : device_(open_file("/dev/fuse", O_RDWR | O_NONBLOCK)), directory_(directory) {
  const Fd mount = new_mount(device_);
  mount_ = number_of(mount);
  if (move_mount(mount.get(), "", AT_FDCWD, directory.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0)
    fail_errno(errno, "mounting a FUSE file system at {}", directory);
  try {
    can_resend_ = agree(device_);
  } catch (...) {
    end();
    throw;
  }
}

// At its place there may be another mount by now, or none.
void FuseMount::end() noexcept {
  const Fd place(::open(directory_.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (place && mount_ != 0 && number_of(place) == mount_)
    umount2(fmt::format("/proc/self/fd/{}", place.get()).c_str(), MNT_DETACH);
}

}  // namespace flox::lazy
