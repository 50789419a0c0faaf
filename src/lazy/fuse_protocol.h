// What the kernel's FUSE device speaks beyond <linux/fuse.h> of Linux 6.1, which Debian 12 has. Source: the
// kernel's include/uapi/linux/fuse.h, protocol 7.45.
#pragma once

#include <linux/fuse.h>

#include <cstdint>

namespace flox::lazy::fuse {

// A bit of the 64-bit flags of INIT; those above 31 travel in flags2. Since 7.40 (Linux 6.9).
inline constexpr uint64_t has_resend = uint64_t{1} << 39;
// Asks for the requests that were read and not answered; they come again with the bit below in their number.
inline constexpr int32_t notify_resend = 7;
inline constexpr uint64_t unique_resend = uint64_t{1} << 63;

}  // namespace flox::lazy::fuse
