// A read-only FUSE file system of store paths: mounting it, and the descriptor by which it is served.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "base/os/fd.h"

namespace flox::lazy {

// Bytes that one request reads at most, as the mount agrees with the kernel.
inline constexpr uint32_t most_read = 1 << 20;
// A request has no more than a header, a struct and two names; the kernel asks for at least this much room.
inline constexpr size_t request_room = 8192 + most_read;
// The notice by which the kernel is asked to send again what it sent and what was not answered (linux/fuse.h:
// FUSE_NOTIFY_RESEND, Linux 6.9).
inline constexpr int notify_resend = 7;

// Unmounted when it goes, whatever is still open in it. While any copy of the descriptor is open, readers
// wait; when the last is closed, they get ENOTCONN, never zeros.
class FuseMount {
 public:
  // Mounts at an existing directory and answers the kernel's first request. Throws Error. Needs
  // CAP_SYS_ADMIN.
  explicit FuseMount(const std::string& directory);
  ~FuseMount() { end(); }
  FuseMount(const FuseMount&) = delete;
  FuseMount& operator=(const FuseMount&) = delete;

  // Gives the descriptor away.
  Fd take_device() noexcept { return std::move(device_); }
  // Whether another process can go on where one ended (FuseSession::take_over).
  bool can_resend() const noexcept { return can_resend_; }

 private:
  void end() noexcept;

  Fd device_;
  const std::string directory_;
  uint64_t mount_ = 0;  // its number; an open descriptor would keep others from unmounting it
  bool can_resend_ = false;
};

}  // namespace flox::lazy
