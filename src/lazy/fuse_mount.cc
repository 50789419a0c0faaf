#include "lazy/fuse_mount.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sys/mount.h>
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

}  // namespace

FuseMount::FuseMount(std::string directory)
    : directory_(std::move(directory)), device_(open_file("/dev/fuse", O_RDWR | O_NONBLOCK)) {
  const std::string options =
      fmt::format("fd={},rootmode=40555,user_id=0,group_id=0,allow_other,default_permissions", device_.get());
  if (mount("flox", directory_.c_str(), "fuse.flox", MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOATIME,
            options.c_str()) != 0)
    fail_errno(errno, "mounting a FUSE file system at {}", directory_);
  try {
    can_resend_ = agree(device_);
  } catch (...) {
    end();
    throw;
  }
}

void FuseMount::end() noexcept { umount2(directory_.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW); }

}  // namespace flox::lazy
