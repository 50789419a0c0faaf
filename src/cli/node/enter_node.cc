#include "cli/node/enter_node.h"

#include <fcntl.h>
#include <sched.h>

#include <cerrno>

#include "base/error.h"
#include "base/os/fd.h"

namespace flox::cli {

void enter_node() {
  for (const char* kind : {"net", "mnt"}) {
    const std::string path = fmt::format("/proc/1/ns/{}", kind);
    Fd target(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (target.get() < 0 || ::setns(target.get(), 0) != 0) {
      const int error = errno;
      in_context("the container must be privileged, and in the node's process namespace (hostPID: true)",
                 [&] { fail_errno(error, "entering {}", path); });
    }
  }
}

}  // namespace flox::cli
