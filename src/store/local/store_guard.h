// Makes the store read-only for the process that owns it, except inside a Writing scope.
//
// A mount namespace belongs to a thread, not to a process. floxd enters one of its own before it has threads,
// in which the store's directory is mounted read-only; the few functions that install, collect, repair or
// optimise go back to the machine's namespace for as long as they take (Writing). So whatever else writes to
// a path in the store, by an untrusted link or name, gets EROFS from the kernel. The views that
// containers get (node/store_views) are mounted in the machine's namespace the same way, where shims see
// them.
#pragma once

#include <filesystem>

namespace flox::store {

// For the calling thread and all that it starts from now on: call before there are others, when
// ROOT/nix/store exists. Throws Error(unavailable) where that is not possible (no CAP_SYS_ADMIN, a store on a
// mount of its own).
void guard_store(const std::filesystem::path& root);
bool store_is_guarded() noexcept;

// What is mounted at `place` for everybody is there for this process, too, which need not see it: where
// mounts are not shared, they stay where they were made. Throws Error.
void show_mount_here(const std::filesystem::path& place);
// Takes it away again, here and for everybody; nothing there is fine.
void end_mount(const std::filesystem::path& place) noexcept;

// While it lives, its thread may write to the store, and mounts for everybody. Threads that start meanwhile
// stay so. Does nothing if no store is guarded, and inside another one.
class Writing {
 public:
  Writing();
  ~Writing();
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;

 private:
  bool entered_ = false;
  int directory_ = -1;  // the working directory to come back to
};

}  // namespace flox::store
