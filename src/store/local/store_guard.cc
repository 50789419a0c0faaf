#include "store/local/store_guard.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <optional>

#include "base/error.h"
#include "base/os/fd.h"

namespace flox::store {
namespace {

// A mount namespace, and the root directory that the process has there.
struct Namespace {
  Fd mounts;
  Fd root;
};

struct Guard {
  Namespace machine;
  Namespace own;
};
std::optional<Guard> guard;  // set once, before there are threads
thread_local int depth = 0;

Namespace current_namespace() {
  return {.mounts = open_file("/proc/thread-self/ns/mnt", O_RDONLY),
          .root = open_file("/", O_PATH | O_DIRECTORY)};
}

// The calling thread changes over; its working directory is the root then.
bool enter(const Namespace& to) noexcept {
  return ::setns(to.mounts.get(), CLONE_NEWNS) == 0 && ::fchdir(to.root.get()) == 0 && ::chroot(".") == 0;
}

uint64_t mount_of(const std::filesystem::path& path) {
  struct statx status {};
  if (::statx(AT_FDCWD, path.c_str(), 0, STATX_MNT_ID, &status) != 0)
    fail_errno(errno, "reading {}", path.string());
  return status.stx_mnt_id;
}

}  // namespace

void guard_store(const std::filesystem::path& root) {
  const std::filesystem::path store = std::filesystem::absolute(root) / "nix/store";
  in_context("making the store read-only for this process", [&] {
    if (mount_of(store) != mount_of(store.parent_path() / "var/nix"))
      fail(ErrorKind::unavailable, "{} is a mount of its own; put the mount at {}", store.string(),
           store.parent_path().string());
    Guard made{.machine = current_namespace(), .own = {}};
    if (::unshare(CLONE_NEWNS) != 0)
      fail(ErrorKind::unavailable, "this user may not have a mount namespace (CAP_SYS_ADMIN)");
    // What is mounted here stays here.
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) {
      if (errno == EINVAL)
        fail(ErrorKind::unavailable, "this process lives in a chroot whose root is not a mount");
      fail_errno(errno, "making mounts private");
    }
    if (::mount(store.c_str(), store.c_str(), nullptr, MS_BIND, nullptr) != 0 ||
        ::mount(nullptr, store.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV,
                nullptr) != 0)
      fail_errno(errno, "mounting {} read-only", store.string());
    made.own = current_namespace();
    guard.emplace(std::move(made));
  });
}

bool store_is_guarded() noexcept { return guard.has_value(); }

void show_mount_here(const std::filesystem::path& place) {
  if (!guard) return;
  Fd tree;
  {
    const Writing writing;
    tree.reset(::open_tree(AT_FDCWD, place.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    if (!tree) fail_errno(errno, "opening the mount at {}", place.string());
  }
  struct stat wanted {};
  struct stat seen {};
  if (::fstat(tree.get(), &wanted) == 0 && ::stat(place.c_str(), &seen) == 0 && wanted.st_dev == seen.st_dev)
    return;
  if (::move_mount(tree.get(), "", AT_FDCWD, place.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0)
    fail_errno(errno, "showing the mount at {}", place.string());
}

void end_mount(const std::filesystem::path& place) noexcept {
  ::umount2(place.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
  if (!guard) return;
  try {
    const Writing writing;
    ::umount2(place.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
  } catch (const Error&) {  // it ends with the namespace, or the machine
  }
}

Writing::Writing() {
  if (!guard || depth++ > 0) return;
  // Threads share their working directory until they say otherwise; only then may one change its namespace.
  // Each time: a thread that this one has started since shares it again.
  if (::unshare(CLONE_FS) != 0) {
    --depth;
    fail_errno(errno, "preparing to write to the store");
  }
  directory_ = ::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (!enter(guard->machine)) {
    --depth;
    fail_errno(errno, "preparing to write to the store");
  }
  entered_ = true;
}

Writing::~Writing() {
  if (!guard) return;
  --depth;
  if (!entered_) return;
  // A thread that could write to the store from now on is worse than an end.
  if (!enter(guard->own)) std::abort();
  if (directory_ >= 0) {
    [[maybe_unused]] const int ignored = ::fchdir(directory_);
    ::close(directory_);
  }
}

}  // namespace flox::store
