#include "shim/runtime/pause_process.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>

#include "base/error.h"
#include "shim/runtime/namespaces.h"

// The program, as built beside us.
asm(".section .rodata\n"
    ".global flox_pause_program, flox_pause_program_end\n"
    "flox_pause_program: .incbin \"" FLOX_PAUSE_PROGRAM
    "\"\n"
    "flox_pause_program_end:\n"
    ".previous\n");
extern "C" const char flox_pause_program[], flox_pause_program_end[];

namespace flox::shim {
namespace {

#if defined(__x86_64__)
constexpr uint32_t architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t architecture = AUDIT_ARCH_AARCH64;
#endif

enum Step {
  ready,
  cgroup,
  join_namespace,
  hostname,
  sysctl,
  oom_score,
  mounts,
  capabilities,
  user,
  seccomp,
  program
};

// Everything that the child uses, made before it is cloned: in the child there are system calls only.
struct Prepared {
  const PausePlan& plan;
  NamespacePlan namespaces;
  std::string oom_score;
  Fd null;
  int image = -1;  // the program
  Fd report, go;
};

// A sealed file in memory with the program; one for all pods of this shim.
int program_image() {
  static const Fd image = [] {
    Fd file(static_cast<int>(::syscall(SYS_memfd_create, "pause", MFD_CLOEXEC | MFD_ALLOW_SEALING)));
    if (!file) fail_errno(errno, "making the pause program");
    write_all(file.get(),
              {flox_pause_program, static_cast<size_t>(flox_pause_program_end - flox_pause_program)});
    ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
    return file;
  }();
  return image.get();
}

Step step_of(EnterStep failed) {
  switch (failed) {
    case EnterStep::done:
      return ready;
    case EnterStep::join_namespace:
      return join_namespace;
    case EnterStep::hostname:
      return hostname;
    case EnterStep::sysctl:
      return sysctl;
  }
  return ready;
}

// An empty root, and nothing of ours left to see.
bool change_root(const char* root) {
  return ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount(root, root, nullptr, MS_BIND, nullptr) == 0 && ::chdir(root) == 0 &&
         ::mount("", root, nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, nullptr) == 0 &&
         ::syscall(SYS_pivot_root, ".", ".") == 0 && ::umount2(".", MNT_DETACH) == 0 && ::chdir("/") == 0;
}

bool drop_bounding_set() {
  for (unsigned long capability = 0; ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; ++capability) {
  }
  return errno == EINVAL;  // past the last capability
}

bool drop_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> none{};
  return ::syscall(SYS_capset, &header, none.data()) == 0;
}

bool change_user(const oci::SandboxSpec& spec) {
  return ::syscall(SYS_setgroups, spec.additional_gids.size(), spec.additional_gids.data()) == 0 &&
         ::syscall(SYS_setresgid, spec.gid, spec.gid, spec.gid) == 0 &&
         ::syscall(SYS_setresuid, spec.uid, spec.uid, spec.uid) == 0;
}

// What pause.cc calls, and the call that executes it. Everything else fails with EPERM.
bool filter_system_calls() {
  constexpr auto allowed =
      std::to_array<uint32_t>({SYS_execveat, SYS_rt_sigprocmask, SYS_rt_sigtimedwait, SYS_wait4,
                               SYS_exit_group, SYS_prctl, SYS_restart_syscall});
  std::array<sock_filter, 6 + allowed.size()> filter{};
  size_t at = 0;
  filter[at++] = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch));
  filter[at++] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, architecture, 1, 0);
  filter[at++] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  filter[at++] = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr));
  for (size_t i = 0; i < allowed.size(); ++i)
    filter[at++] =
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i], static_cast<uint8_t>(allowed.size() - i), 0);
  filter[at++] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
  filter[at++] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  const sock_fprog whole{static_cast<unsigned short>(at), filter.data()};
  return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &whole) == 0;
}

// In the order in which each is still allowed. The step that failed, or `ready`.
Step set_up(const Prepared& p) {
  const oci::SandboxSpec& spec = p.plan.spec;
  for (const Fd& list : p.plan.cgroups)
    if (::write(list.get(), "0", 1) != 1) return cgroup;
  ::setsid();
  if (const Step failed = step_of(enter(p.namespaces)); failed != ready) return failed;
  if (!p.oom_score.empty() && !write_at_once("/proc/self/oom_score_adj", p.oom_score)) return oom_score;
  for (int fd : {0, 1, 2})
    if (::dup2(p.null.get(), fd) < 0) return mounts;
  if (!change_root(p.plan.root.c_str())) return mounts;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !drop_bounding_set()) return capabilities;
  if (!change_user(spec)) return user;
  if (!drop_capabilities()) return capabilities;
  // Last: a change of the user takes it back. If the shim has died before, there is no byte to go.
  if (p.plan.dies_with_shim) ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  return ready;
}

[[noreturn]] void become_pause(const Prepared& p) {
  auto tell = [&](Step step) {
    const PauseReport report{step, errno};
    [[maybe_unused]] ssize_t ignored = ::write(p.report.get(), &report, sizeof report);
    if (step != ready) ::_exit(127);
  };
  sigset_t none;
  ::sigemptyset(&none);
  ::signal(SIGPIPE, SIG_DFL);
  ::signal(SIGCHLD, SIG_DFL);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  tell(set_up(p));
  char byte = 0;
  if (::read(p.go.get(), &byte, 1) != 1) ::_exit(0);  // the shim has gone, or deletes us
  // Open files of ours, this memory included, end with the execution: all are close-on-exec.
  if (!filter_system_calls()) tell(seccomp);
  char name[] = "/pause";
  char* argv[] = {name, nullptr};
  char* env[] = {nullptr};
  ::syscall(SYS_execveat, p.image, "", argv, env, AT_EMPTY_PATH);
  ::_exit(127);
}

Prepared prepare(const PausePlan& plan) {
  Prepared p{.plan = plan, .namespaces = NamespacePlan::of(plan.spec)};
  if (plan.spec.oom_score_adj) p.oom_score = std::to_string(*plan.spec.oom_score_adj);
  p.null = open_file("/dev/null", O_RDWR);
  p.image = program_image();
  return p;
}

}  // namespace

const char* pause_step_name(int step) {
  constexpr std::array names{"getting ready",          "entering its cgroup",   "entering its namespaces",
                             "setting the hostname",   "setting sysctls",       "setting oom_score_adj",
                             "changing its root",      "dropping capabilities", "changing its user",
                             "filtering system calls", "executing its program"};
  return step >= 0 && static_cast<size_t>(step) < names.size() ? names[static_cast<size_t>(step)] : "unknown";
}

PauseProcess start_pause_process(const PausePlan& plan) {
  Prepared prepared = prepare(plan);
  Pipe report = make_pipe();
  Pipe go = make_pipe();
  prepared.report = std::move(report.write_end);
  prepared.go = std::move(go.read_end);
  PauseProcess process;
  // Like fork: a copy of this memory, on this stack.
  const auto flags = static_cast<unsigned long>(prepared.namespaces.created | SIGCHLD);
  process.pid = static_cast<pid_t>(::syscall(SYS_clone, flags, nullptr, nullptr, nullptr, 0));
  if (process.pid < 0) fail_errno(errno, "cloning the pause process");
  if (process.pid == 0) {
    report.read_end.reset();
    go.write_end.reset();
    become_pause(prepared);
  }
  process.report = std::move(report.read_end);
  process.go = std::move(go.write_end);
  return process;
}

}  // namespace flox::shim
