// How much an archive of strangers may hold, whichever reader unpacks it: the tar of a .deb, wheels, tarballs
// of npm.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace flox::package::archive_limits {

inline constexpr size_t entries = 1'000'000;
inline constexpr size_t name = 4096;  // bytes
inline constexpr size_t depth = 128;  // directories of a name

// Bytes of all files that an archive of `archive_size` bytes may unpack to: 250 times its size. (Of Debian's
// 60,000 packages none unpacks to 50 times its size; small ones may.) But 256 MiB are always allowed, and
// never more than 16 GiB.
inline uint64_t unpacked(uint64_t archive_size) {
  return std::min(uint64_t{16} << 30, std::max(uint64_t{256} << 20, archive_size * 250));
}

}  // namespace flox::package::archive_limits
