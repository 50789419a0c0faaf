#include "package/build/removed_afterwards.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/os/file.h"

namespace flox::package {
namespace {

// Processes of the build may still be dying and make files meanwhile.
void remove_for_good(const std::filesystem::path& path) {
  for (int attempts = 100; attempts > 0; --attempts) {
    try {
      remove_tree(path);
      return;
    } catch (const std::exception&) {
      ::usleep(20'000);
    }
  }
}

}  // namespace

void leave_the_terminal() {
  ::setsid();
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return;
  for (const int stream : {0, 1, 2}) ::dup2(null, stream);
}

RemovedAfterwards::RemovedAfterwards(const std::filesystem::path& path) {
  Pipe alive = make_pipe();
  remover_ = ::fork();
  if (remover_ < 0) fail_errno(errno, "starting the process that removes {}", path.string());
  if (remover_ == 0) {
    leave_the_terminal();
    alive.write_end.reset();
    char ignored;
    while (::read(alive.read_end.get(), &ignored, 1) < 0 && errno == EINTR) continue;
    remove_for_good(path);
    ::_exit(0);
  }
  alive_ = std::move(alive.write_end);
}

RemovedAfterwards::~RemovedAfterwards() {
  alive_.reset();
  while (::waitpid(remover_, nullptr, 0) < 0 && errno == EINTR) continue;
}

}  // namespace flox::package
