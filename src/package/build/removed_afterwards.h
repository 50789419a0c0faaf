// Directories that go with the process that made them, however it ends.
#pragma once

#include <sys/types.h>

#include <filesystem>

#include "base/os/fd.h"

namespace flox::package {

// Removes the tree when the object goes, or when its process dies, even of SIGKILL: a process of its own
// waits for that, in a session of its own, which no Ctrl-C reaches. It holds what this process holds open, so
// a lock on the directory lasts until the tree is gone. One thread at a time; make it while there is one
// thread.
class RemovedAfterwards {
 public:
  // The path need not exist yet. Throws Error.
  explicit RemovedAfterwards(const std::filesystem::path& path);
  RemovedAfterwards(const RemovedAfterwards&) = delete;
  RemovedAfterwards& operator=(const RemovedAfterwards&) = delete;
  // Waits until the tree is gone.
  ~RemovedAfterwards();

 private:
  Fd alive_;  // its other end sees it close
  pid_t remover_ = -1;
};

// Makes the calling process, a fresh fork, one that the terminal's signals do not reach and that keeps none
// of the standard streams open.
void leave_the_terminal();

}  // namespace flox::package
