#include "base/os/open_files.h"

#include <sys/resource.h>

#include <algorithm>

namespace flox {

size_t allow_open_files(size_t wanted) noexcept {
  constexpr size_t usual = 1024;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return usual;
  if (limit.rlim_cur >= wanted) return limit.rlim_cur;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = std::min<rlim_t>(wanted, limit.rlim_max);  // RLIM_INFINITY is the largest
  return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before;
}

}  // namespace flox
