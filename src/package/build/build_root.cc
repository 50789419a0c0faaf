#include "package/build/build_root.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <vector>

#include "base/error.h"
#include "base/os/directory.h"

namespace flox::package {
namespace {

namespace filesystem = std::filesystem;

constexpr unsigned inner_id = 1000;

void mount_at(const std::string& from, const std::string& to, const char* type, unsigned long flags,
              const char* data = nullptr) {
  if (::mount(from.c_str(), to.c_str(), type, flags, data) != 0)
    fail_errno(errno, "mounting {} at {}", from, to);
}

void write_own(const char* file, const std::string& text) {
  const Fd fd = open_file(file, O_WRONLY);
  write_all(fd.get(), text);
}

// A user namespace first: as root, too, so that the ids are the same for everybody. Where there is none, root
// goes without; as the caller always, since its files may be anybody's.
void leave_namespaces(bool as_caller) {
  const int others =
      CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | (as_caller ? 0 : CLONE_NEWNET | CLONE_NEWUTS);
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  const bool is_root = as_caller && uid == 0;
  if (!is_root && ::unshare(CLONE_NEWUSER | others) == 0) {
    write_own("/proc/self/setgroups", "deny");
    write_own("/proc/self/uid_map", fmt::format("{} {} 1", as_caller ? uid : inner_id, uid));
    write_own("/proc/self/gid_map", fmt::format("{} {} 1", as_caller ? gid : inner_id, gid));
  } else if (uid != 0 || ::unshare(others) != 0) {
    throw Error(ErrorKind::unavailable,
                "making namespaces for the build: this user may not, and user namespaces are off",
                "Set the kernel's user.max_user_namespaces, or build where they are allowed.");
  }
  if (!as_caller && ::sethostname("build", 5) != 0) fail_errno(errno, "naming the host");
}

void raise_loopback() {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{.ifr_ifrn = {.ifrn_name = "lo"}, .ifr_ifru = {}};
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (!socket || ::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0)
    fail_errno(errno, "raising the loopback interface");
}

// What the mount has already must stay: a user namespace may not take it off.
unsigned long kept_flags(const std::string& path) {
  struct statvfs status {};
  if (::statvfs(path.c_str(), &status) != 0) fail_errno(errno, "examining {}", path);
  unsigned long flags = 0;
  if ((status.f_flag & ST_NOSUID) != 0) flags |= MS_NOSUID;
  if ((status.f_flag & ST_NODEV) != 0) flags |= MS_NODEV;
  if ((status.f_flag & ST_NOEXEC) != 0) flags |= MS_NOEXEC;
  if ((status.f_flag & ST_RDONLY) != 0) flags |= MS_RDONLY;
  if ((status.f_flag & ST_NOATIME) != 0) flags |= MS_NOATIME;
  if ((status.f_flag & ST_NODIRATIME) != 0) flags |= MS_NODIRATIME;
  if ((status.f_flag & ST_RELATIME) != 0) flags |= MS_RELATIME;
  return flags;
}

class RootMaker {
 public:
  explicit RootMaker(const BuildRoot& root) : root_(root) {}

  void run() {
    mount_at("none", "/", nullptr, MS_REC | MS_PRIVATE);
    mount_at("tmpfs", root_.at.string(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755");
    const Directory inside(root_.at);
    for (const char* place : {"dev", "dev/shm", "proc", "tmp", "etc", "bin", "usr/bin", "nix/store"})
      inside.make_directory(place);
    mount_at("tmpfs", at("tmp"), "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
    mount_at("proc", at("proc"), "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC);
    protect_kernel();
    show_devices(inside);
    for (const nix::StorePath& path : root_.store_paths) show_store_path(inside, path.base_name());
    // Before anything of the machine that can be written is shown: these are the root's own.
    const unsigned uid = root_.as_caller ? ::geteuid() : inner_id,
                   gid = root_.as_caller ? ::getegid() : inner_id;
    inside.create_file("etc/passwd",
                       fmt::format("build:x:{}:{}::{}:/bin/sh\n", uid, gid, root_.home.string()));
    inside.create_file("etc/group", fmt::format("build:x:{}:\n", gid));
    if (!root_.as_caller) inside.create_file("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n");
    for (const auto& [place, target] : root_.links) inside.make_link(place, target);
    for (const BuildRoot::Shown& shown : root_.shown) {
      const std::string place = shown.to.lexically_relative("/").string();
      make_place(inside, place, std::filesystem::is_directory(shown.from));
      bind(shown.from.string(), place, shown.writable);
    }
    enter();
  }

 private:
  std::string at(const std::string& place) const { return (root_.at / place).string(); }

  void bind(const std::string& from, const std::string& place, bool writable) {
    mount_at(from, at(place), nullptr, MS_BIND | MS_REC);
    if (writable) return;
    mount_at("none", at(place), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | kept_flags(at(place)));
  }

  // What something is shown on. What is shown in a directory of the machine is there already, as it must be.
  static void make_place(const Directory& inside, const std::string& place, bool is_directory) {
    const auto status = inside.status(place);
    if (status && !S_ISLNK(status->st_mode)) return;
    if (status) inside.remove(place);
    if (is_directory) {
      inside.make_directory(place);
      return;
    }
    if (const std::string parent = filesystem::path(place).parent_path().string(); !parent.empty())
      inside.make_directory(parent);
    inside.create_file(place, "");
  }

  // What is the whole kernel's. It asks for the machine's user 0 there, not for a capability, and a build
  // that root has started is that user, whatever number it sees.
  void protect_kernel() {
    for (const char* name : {"acpi", "asound", "bus", "driver", "dynamic_debug", "fs", "irq", "mtrr", "scsi",
                             "sys", "sysrq-trigger"}) {
      const std::string place = std::string("proc/") + name;
      if (::access(at(place).c_str(), F_OK) == 0) bind(at(place), place, false);
    }
  }

  void show_devices(const Directory& inside) {
    mount_at("tmpfs", at("dev/shm"), "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
    for (const char* device : {"null", "zero", "full", "random", "urandom"}) {
      const std::string place = std::string("dev/") + device;
      inside.create_file(place, "");
      mount_at(std::string("/dev/") + device, at(place), nullptr, MS_BIND);
    }
    inside.make_link("dev/fd", "/proc/self/fd");
    inside.make_link("dev/stdin", "/proc/self/fd/0");
    inside.make_link("dev/stdout", "/proc/self/fd/1");
    inside.make_link("dev/stderr", "/proc/self/fd/2");
  }

  void show_store_path(const Directory& inside, const std::string& name) {
    const Directory store(root_.store);
    const auto status = store.status(name);
    const std::string place = "nix/store/" + name;
    if (!status) fail(ErrorKind::not_found, "there is no {} in {}", name, root_.store.string());
    if (S_ISLNK(status->st_mode)) return inside.make_link(place, store.read_link(name));
    if (S_ISDIR(status->st_mode))
      inside.make_directory(place);
    else
      inside.create_file(place, "");
    bind((root_.store / name).string(), place, false);
  }

  // With the old root gone from under it (pivot_root(2), NOTES).
  void enter() {
    if (::chdir(root_.at.c_str()) != 0 || ::syscall(SYS_pivot_root, ".", ".") != 0)
      fail_errno(errno, "entering {}", root_.at.string());
    if (::umount2(".", MNT_DETACH) != 0) fail_errno(errno, "leaving this machine's root");
    if (::chdir("/") != 0) fail_errno(errno, "entering the new root");
  }

  const BuildRoot& root_;
};

int code_of(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

// The exit code of `child`; others that end meanwhile are reaped.
int reap_until(pid_t child) {
  for (;;) {
    int status = 0;
    const pid_t ended = ::waitpid(-1, &status, 0);
    if (ended == child) return code_of(status);
    if (ended < 0 && errno != EINTR) fail_errno(errno, "waiting for the command");
  }
}

// What a root directory of its own and the file system limit to the files that are shown.
bool is_power_over_files(int capability) {
  return capability == CAP_CHOWN || capability == CAP_DAC_OVERRIDE || capability == CAP_FOWNER ||
         capability == CAP_FSETID || capability == CAP_SETGID || capability == CAP_SETUID;
}

// Programs of root have what the bounding set has, and what they inherit.
void limit_capabilities(bool keeps_files) {
  for (int capability = 0;; ++capability) {
    const int has = ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    if (has < 0) break;
    if (has == 0 || (keeps_files && is_power_over_files(capability))) continue;
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0)
      fail_errno(errno, "giving up the capability {}", capability);
  }
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);  // EINVAL: there are none before Linux 4.3
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) fail_errno(errno, "reading the capabilities");
  for (auto& set : sets) set.inheritable = 0;
  if (::syscall(SYS_capset, &header, sets.data()) != 0)
    fail_errno(errno, "giving up what programs inherit of capabilities");
}

// A directory of the machine among them would lead out of the root.
void keep_open_files_from_programs() {
  constexpr int first = 3;
  if (::syscall(SYS_close_range, first, ~0U, CLOSE_RANGE_CLOEXEC) == 0) return;
  std::vector<int> open;  // before Linux 5.11
  for (const auto& entry : filesystem::directory_iterator("/proc/self/fd"))
    open.push_back(std::atoi(entry.path().filename().c_str()));
  for (const int fd : open)
    if (fd >= first) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
}

// The caller's session has keys (of Kerberos, of encrypted disks), and no namespace keeps them from a build.
// Those of 32-bit programs have other numbers, which follow each other.
void keep_keyrings_from_programs() {
#if defined(__x86_64__)
  constexpr uint32_t own = AUDIT_ARCH_X86_64, first_of_others = 286, last_of_others = 288;
#elif defined(__aarch64__)
  constexpr uint32_t own = AUDIT_ARCH_AARCH64, first_of_others = 309, last_of_others = 311;
#else
#error "the system calls of this architecture are not listed"
#endif
#ifdef __X32_SYSCALL_BIT
  constexpr uint32_t number = ~static_cast<uint32_t>(__X32_SYSCALL_BIT);
#else
  constexpr uint32_t number = ~0U;
#endif
  std::array code = {
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, own, 0, 6),
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      sock_filter BPF_STMT(BPF_ALU | BPF_AND | BPF_K, number),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_add_key, 6, 0),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_request_key, 5, 0),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_keyctl, 4, 0),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, first_of_others, 0, 2),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, last_of_others, 1, 0),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog filter{.len = static_cast<unsigned short>(code.size()), .filter = code.data()};
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
    fail_errno(errno, "keeping the kernel's keyrings from the build");
}

// The network has them, and behind one there may be the desktop, which types for who may ask it. Before
// Linux 6.12 the kernel cannot.
void keep_abstract_sockets_from_programs() {
  struct {  // landlock_ruleset_attr
    uint64_t files, network, scoped;
  } rules{.files = 0, .network = 0, .scoped = 1};            // LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
  constexpr long create_ruleset = 444, restrict_self = 446;  // on all architectures
  const Fd ruleset(static_cast<int>(::syscall(create_ruleset, &rules, sizeof(rules), 0)));
  if (!ruleset) return;
  if (::syscall(restrict_self, ruleset.get(), 0) != 0)
    fail_errno(errno, "keeping the machine's sockets from the build");
}

pid_t fork_or_fail() {
  const pid_t child = ::fork();
  if (child < 0) fail_errno(errno, "starting a process for the build");
  return child;
}

}  // namespace

int run_in_root(const BuildRoot& root, const std::function<void()>& body) {
  leave_namespaces(root.as_caller);
  const pid_t first = fork_or_fail();  // process 1 of the namespace
  if (first != 0) return reap_until(first);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!root.as_caller) raise_loopback();
  RootMaker(root).run();
  const pid_t command = fork_or_fail();
  if (command != 0) ::_exit(reap_until(command));  // and with it all processes of the namespace
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail_errno(errno, "giving up privileges");
  limit_capabilities(root.as_caller);
  keep_open_files_from_programs();
  keep_keyrings_from_programs();
  if (root.as_caller) keep_abstract_sockets_from_programs();
  body();
  ::_exit(0);
}

}  // namespace flox::package
