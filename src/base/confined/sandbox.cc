#include "base/confined/sandbox.h"

#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "base/error.h"

namespace flox {
namespace {

void limit(__rlimit_resource_t resource, uint64_t value) {
  rlimit now{};
  if (::getrlimit(resource, &now) != 0) fail_errno(errno, "reading a resource limit");
  const rlim_t most = std::min<rlim_t>(value, now.rlim_max);
  const rlimit wanted{most, most};
  if (::setrlimit(resource, &wanted) != 0) fail_errno(errno, "setting a resource limit");
}

// All of them, of every kind; without CAP_SETPCAP the bounding set stays, which without exec means nothing.
void drop_capabilities() {
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  for (unsigned long capability = 0; capability < 64; ++capability)
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) break;
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  const __user_cap_data_struct none[2] = {};
  if (::syscall(SYS_capset, &header, none) != 0) fail_errno(errno, "giving up all capabilities");
}

bool has_seccomp() noexcept { return ::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0; }

}  // namespace

std::string Isolation::to_string() const {
  std::string text;
  if (landlock > 0) text += fmt::format("Landlock ABI {}", landlock);
  if (mounts) text += fmt::format("{}mount namespace", text.empty() ? "" : ", ");
  if (seccomp) text += fmt::format("{}seccomp", text.empty() ? "" : ", ");
  return text.empty() ? "none" : text;
}

Isolation available_isolation() {
  Isolation isolation{.landlock = sandbox::landlock_abi(), .seccomp = has_seccomp()};
  isolation.mounts = isolation.landlock == 0 && ::geteuid() == 0;
  return isolation;
}

std::vector<std::filesystem::path> network_files() {
  std::vector<std::filesystem::path> files = {"/etc/ssl",
                                              "/etc/pki",
                                              "/etc/ca-certificates",
                                              "/usr/share/ca-certificates",
                                              "/usr/local/share/ca-certificates",
                                              "/etc/resolv.conf",
                                              "/etc/hosts",
                                              "/etc/host.conf",
                                              "/etc/nsswitch.conf",
                                              "/etc/gai.conf",
                                              "/etc/services",
                                              "/etc/ld.so.cache",
                                              "/run/systemd/resolve/resolv.conf",
                                              "/run/systemd/resolve/stub-resolv.conf",
                                              "/run/resolvconf/resolv.conf",
                                              "/usr/lib",
                                              "/usr/lib64",
                                              "/usr/lib32",
                                              "/lib",
                                              "/lib64",
                                              "/usr/local/lib",
                                              "/usr/share/zoneinfo",
                                              "/dev/null",
                                              "/dev/urandom",
                                              "/dev/random",
                                              "/sys/devices/system/cpu/online",
                                              "/sys/devices/system/cpu/possible"};
  for (const char* variable : {"NIX_SSL_CERT_FILE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "SSL_CERT_DIR"})
    if (const char* file = std::getenv(variable); file != nullptr && *file != '\0') files.emplace_back(file);
  return files;
}

Isolation enter_sandbox(const Sandbox& sandbox) {
  return in_context("confining the process", [&] {
    Isolation isolation = available_isolation();
    ::umask(0);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_DATA, sandbox.memory);
    limit(RLIMIT_FSIZE, sandbox.file_size);
    limit(RLIMIT_NOFILE, sandbox.open_files);
    limit(RLIMIT_MEMLOCK, 0);
    if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) fail_errno(errno, "hiding the process's memory");
    if (isolation.mounts) sandbox::restrict_mounts(sandbox);
    drop_capabilities();
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail_errno(errno, "giving up new privileges");
    if (isolation.landlock > 0) sandbox::restrict_files(sandbox, isolation.landlock);
    if (isolation.seccomp) sandbox::restrict_calls();
    return isolation;
  });
}

namespace sandbox {

// Everything read-only but the scratch directories, and what holds secrets and sockets under an empty
// directory.
void restrict_mounts(const Sandbox& sandbox) {
  if (::unshare(CLONE_NEWNS) != 0) fail_errno(errno, "making a mount namespace");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    fail_errno(errno, "making mounts private");
  for (const auto& directory : sandbox.writable)
    if (::mount(directory.c_str(), directory.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0)
      fail_errno(errno, "binding {}", directory.string());
  // mount_setattr(2), since 5.12; before it each mount would have to be remounted by itself.
  struct {
    uint64_t attr_set, attr_clr, propagation, userns_fd;
  } attributes{.attr_set = 1 /* MOUNT_ATTR_RDONLY */, .attr_clr = 0, .propagation = 0, .userns_fd = 0};
  constexpr unsigned at_recursive = 0x8000;
  if (::syscall(442, AT_FDCWD, "/", at_recursive, &attributes, sizeof attributes) != 0 && errno == ENOSYS) {
    if (::mount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) != 0)
      fail_errno(errno, "making / read-only");
  }
  attributes = {.attr_set = 0, .attr_clr = 1, .propagation = 0, .userns_fd = 0};
  for (const auto& directory : sandbox.writable)
    ::syscall(442, AT_FDCWD, directory.c_str(), at_recursive, &attributes, sizeof attributes);
  for (const char* secret : {"/root", "/home", "/run/flox", "/run/containerd", "/run/user", "/var/lib/flox",
                             "/var/lib/kubelet", "/proc"})
    ::mount("tmpfs", secret, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,mode=000");
  for (const char* secret : {"/etc/shadow", "/etc/gshadow", "/etc/flox"})
    ::mount("/dev/null", secret, nullptr, MS_BIND, nullptr);
}

}  // namespace sandbox
}  // namespace flox
