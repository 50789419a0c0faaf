#include "shim/imageless/mutable_nix.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/os/directory.h"

namespace flox::shim {
namespace {

constexpr const char* directory_name = "flox-nix";  // in the bundle
constexpr const char* mount_name = "nix";           // in that directory

// What the child tells: the tree's descriptor, which is ours, too, or what went wrong.
struct Report {
  int tree = -1;
  int error = 0;
  char step[200] = {};
};

void check_label(const std::string& label) {
  const bool good = std::ranges::all_of(label, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_:.,-").find(c) != std::string_view::npos;
  });
  if (!good) fail(ErrorKind::invalid_input, "the mount label \"{}\" is not one of SELinux's", label);
}

std::string context_option(const std::string& label) {
  return label.empty() ? "" : fmt::format(",context=\"{}\"", label);
}

// Inodes by the kernel's own proportion, one a page. Runtimes also write "no limit" as a very large one.
std::string tmpfs_options(const MutableNix& wanted) {
  const uint64_t pages = wanted.bytes / static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const bool limited = wanted.bytes > 0 && pages < static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) / 2;
  const std::string size =
      limited ? fmt::format("size={},nr_inodes={}", wanted.bytes, std::max<uint64_t>(pages, 1024))
              : "size=50%";
  return "mode=0700," + size + context_option(wanted.label);
}

// In the child only, whose working directory is its own.
void enter(const char* path) {
  if (::chdir(path) != 0) fail_errno(errno, "entering {}", path);
}

void make_own_directory(const char* path, unsigned mode, uint32_t uid, uint32_t gid) {
  if (::mkdir(path, 0700) != 0 || ::chown(path, uid, gid) != 0 || ::chmod(path, mode) != 0)
    fail_errno(errno, "making {}", path);
}

void mount_here(const char* type, const char* target, const std::string& data) {
  if (::mount(type, target, type, MS_NOSUID | MS_NODEV, data.c_str()) != 0)
    fail_errno(errno, "mounting a {}", type);
}

// In a new mount namespace. Relative paths are resolved in file systems that nobody else can name.
int build_tree(const MutableNix& wanted, const fs::path& place) {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    fail_errno(errno, "making the mount namespace private");
  // Opened anew: a descriptor of before would belong to the other namespace, and the kernel mounts nothing
  // there.
  const Fd store(::open(wanted.store.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!store) fail_errno(errno, "opening {}", wanted.store.string());
  enter(place.c_str());
  mount_here("tmpfs", ".", tmpfs_options(wanted));
  enter(place.c_str());
  make_own_directory("nix", 0755, wanted.uid, wanted.gid);
  make_own_directory("nix/store", 0755, wanted.uid, wanted.gid);
  make_own_directory("upper", 0755, wanted.uid, wanted.gid);
  make_own_directory("work", 0700, 0, 0);
  mount_here("overlay", "nix/store",
             fmt::format("lowerdir=/proc/self/fd/{},upperdir=upper,workdir=work{}", store.get(),
                         context_option(wanted.label)));
  const int tree = ::open_tree(AT_FDCWD, "nix", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
  if (tree < 0) fail_errno(errno, "detaching it");
  return tree;
}

[[noreturn]] void run_child(const MutableNix& wanted, const fs::path& place, int report_fd) {
  Report report;
  try {
    report.tree = build_tree(wanted, place);
  } catch (const std::exception& error) {
    report.error = errno == 0 ? EIO : errno;
    std::strncpy(report.step, message_of(error).c_str(), sizeof report.step - 1);
  }
  const bool told = ::write(report_fd, &report, sizeof report) == sizeof report;
  if (!told && report.tree >= 0) ::close(report.tree);
  ::_exit(told ? 0 : 1);
}

// A detached tree, made by a child with a mount namespace of its own and our table of descriptors. The child
// is like one of fork(2) and takes about a millisecond; without an exit signal it is not among those that
// Children reaps.
Fd detached_tree(const MutableNix& wanted, const fs::path& place) {
  Pipe pipe = make_pipe();
  const auto flags = static_cast<unsigned long>(CLONE_NEWNS | CLONE_FILES);
  const auto pid = static_cast<pid_t>(::syscall(SYS_clone, flags, nullptr, nullptr, nullptr, 0));
  if (pid < 0) fail_errno(errno, "starting a process with a mount namespace of its own");
  if (pid == 0) run_child(wanted, place, pipe.write_end.get());
  int status = 0;
  while (::waitpid(pid, &status, __WALL) < 0 && errno == EINTR) continue;
  pipe.write_end.reset();
  Report report;
  if (read_some(pipe.read_end.get(), reinterpret_cast<char*>(&report), sizeof report) != sizeof report)
    fail(ErrorKind::internal, "the process that makes it ended without a report");
  Fd tree(report.tree);
  if (!tree && report.error == ENOSYS)
    throw Error(ErrorKind::unavailable, report.step, "A /nix that can be changed needs Linux 5.2.");
  if (!tree) fail(ErrorKind::internal, "{}", report.step);
  return tree;
}

}  // namespace

fs::path attach_mutable_nix(const MutableNix& wanted, const fs::path& bundle) {
  return in_context("making a /nix that can be changed", [&] {
    check_label(wanted.label);
    detach_mutable_nix(bundle);
    const Directory directory = Directory(bundle).make_directory(directory_name, 0700);
    const Directory target = directory.make_directory(mount_name, 0700);
    const Fd tree = detached_tree(wanted, bundle / directory_name);
    if (::move_mount(tree.get(), "", target.fd(), "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
      fail_errno(errno, "attaching it below {}", bundle.string());
    return bundle / directory_name / mount_name;
  });
}

void detach_mutable_nix(const fs::path& bundle) {
  const fs::path directory = bundle / directory_name;
  struct stat info {};
  if (::lstat(directory.c_str(), &info) != 0 && errno == ENOENT) return;
  const fs::path target = directory / mount_name;
  while (::umount2(target.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) continue;
  if (errno != EINVAL && errno != ENOENT) fail_errno(errno, "unmounting {}", target.string());
  for (const fs::path& path : {target, directory})
    if (::rmdir(path.c_str()) != 0 && errno != ENOENT) fail_errno(errno, "removing {}", path.string());
}

}  // namespace flox::shim
