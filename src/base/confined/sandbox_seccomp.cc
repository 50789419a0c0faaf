// The system calls that a sandboxed process may use (seccomp(2), classic BPF). What no honest parser asks for
// kills the process; the rest of what is not on the list does not exist for it (ENOSYS), as on an older
// kernel, so that libraries fall back. A list of what is allowed, not of what is forbidden: calls of later
// kernels are refused, too. Written out, not made by libseccomp: the flox of pods would have to carry that
// library.
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <vector>

#include "base/confined/sandbox.h"
#include "base/error.h"

namespace flox::sandbox {
namespace {

#if defined(__x86_64__)
constexpr uint32_t architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t architecture = AUDIT_ARCH_AARCH64;
#else
#error "the system calls of this architecture are not listed"
#endif

constexpr uint32_t allowed = SECCOMP_RET_ALLOW;
constexpr uint32_t deadly = SECCOMP_RET_KILL_PROCESS;
constexpr uint32_t refused(int error) { return SECCOMP_RET_ERRNO | static_cast<uint32_t>(error); }

constexpr int plain_calls[] = {
    // Files, below what Landlock allows.
    SYS_read,
    SYS_write,
    SYS_openat,
    SYS_close,
    SYS_futex,
    SYS_fstat,
    SYS_newfstatat,
    SYS_utimensat,
    SYS_mkdirat,
    SYS_symlinkat,
    SYS_unlinkat,
    SYS_readlinkat,
    SYS_renameat2,
    SYS_lseek,
    SYS_pread64,
    SYS_pwrite64,
    SYS_readv,
    SYS_writev,
    SYS_openat2,
    SYS_close_range,
    SYS_statx,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_getdents64,
    SYS_ftruncate,
    SYS_fallocate,
    SYS_fadvise64,
    SYS_fsync,
    SYS_fdatasync,
    SYS_sync_file_range,
    SYS_flock,
    SYS_dup,
    SYS_dup3,
    SYS_pipe2,
    SYS_getcwd,
    SYS_statfs,
    SYS_fstatfs,
    SYS_copy_file_range,
    SYS_umask,
    // Memory and threads.
    SYS_mmap,
    SYS_munmap,
    SYS_mprotect,
    SYS_mremap,
    SYS_madvise,
    SYS_brk,
    SYS_mincore,
    SYS_set_robust_list,
    SYS_rseq,
    SYS_set_tid_address,
    SYS_exit,
    SYS_exit_group,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_getpid,
    SYS_gettid,
    SYS_getppid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    SYS_restart_syscall,
    SYS_membarrier,
    SYS_getcpu,
    // Time, chance, what the machine is.
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_clock_nanosleep,
    SYS_nanosleep,
    SYS_gettimeofday,
    SYS_getrandom,
    SYS_uname,
    SYS_sysinfo,
    SYS_getrusage,
    // The network, as a client.
    SYS_connect,
    SYS_bind,
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_recvmmsg,
    SYS_getsockname,
    SYS_getpeername,
    SYS_getsockopt,
    SYS_setsockopt,
    SYS_shutdown,
    SYS_ppoll,
    SYS_pselect6,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_eventfd2,
#ifdef SYS_open  // what newer architectures have only in the forms above
    SYS_open,
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_mkdir,
    SYS_rmdir,
    SYS_unlink,
    SYS_rename,
    SYS_renameat,
    SYS_symlink,
    SYS_readlink,
    SYS_dup2,
    SYS_pipe,
    SYS_poll,
    SYS_select,
    SYS_epoll_create,
    SYS_epoll_wait,
    SYS_eventfd,
    SYS_time,
    SYS_arch_prctl,
    SYS_getrlimit,
#endif
};

// Nothing that reads archives has a use for these.
constexpr int deadly_calls[] = {
    SYS_execve,
    SYS_execveat,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_pidfd_getfd,
    SYS_kcmp,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_open_tree,
    SYS_move_mount,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
    SYS_mount_setattr,
    SYS_unshare,
    SYS_setns,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    SYS_kexec_load,
    SYS_kexec_file_load,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_userfaultfd,
    SYS_open_by_handle_at,
    SYS_name_to_handle_at,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_mknodat,
    SYS_setuid,
    SYS_setgid,
    SYS_setresuid,
    SYS_setresgid,
    SYS_setgroups,
    SYS_capset,
    SYS_acct,
    SYS_quotactl,
    SYS_personality,
};

// Refused as a permission, not as a call that does not exist: nothing should fall back to another way.
constexpr int refused_calls[] = {
    SYS_kill,
    SYS_tkill,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    SYS_pidfd_send_signal,
    SYS_pidfd_open,
    SYS_linkat,
    SYS_fchmod,
    SYS_fchmodat,
    SYS_fchown,
    SYS_fchownat,
    SYS_setxattr,
    SYS_lsetxattr,
    SYS_fsetxattr,
    SYS_listen,
    SYS_accept,
    SYS_accept4,
    SYS_setrlimit,
    SYS_setpriority,
    SYS_setsid,
    SYS_setpgid,
#ifdef SYS_fork
    SYS_fork,
    SYS_vfork,
    SYS_link,
    SYS_chmod,
    SYS_chown,
    SYS_lchown,
#endif
};

class Program {
 public:
  Program() {
    load(offsetof(seccomp_data, arch));
    unless_equal(architecture, 1);
    answer(deadly);  // another word length: its numbers mean other calls
    load(offsetof(seccomp_data, nr));
#ifdef __x86_64__
    constexpr uint32_t x32 = 0x40000000;
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, x32, 0, 1));
    answer(deadly);
#endif
  }
  template <size_t Size>
  void calls(const int (&numbers)[Size], uint32_t result) {
    for (const int number : numbers) {
      code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(number), 0, 1));
      answer(result);
    }
  }
  // An argument (its lower 32 bits, masked) that must be one of these.
  struct Condition {
    int argument;
    uint32_t mask;
    std::vector<uint32_t> values;
  };
  // A call of whose arguments all that is said must be true.
  void call_with(int number, const std::vector<Condition>& conditions, int error) {
    size_t length = 1;  // behind the jump
    for (const Condition& condition : conditions) length += 2 + condition.values.size() + 1;
    code_.push_back(
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(number), 0, static_cast<uint8_t>(length)));
    for (const Condition& condition : conditions) {
      // Little-endian: the lower half.
      load(offsetof(seccomp_data, args) + 8 * static_cast<size_t>(condition.argument));
      code_.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, condition.mask));
      for (size_t left = condition.values.size(); left > 0; --left)
        code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, condition.values[condition.values.size() - left],
                                 static_cast<uint8_t>(left), 0));
      answer(refused(error));
    }
    answer(allowed);
  }
  // socketpair(2) of another kind than a connected stream could be connected anew, to any socket's path.
  void stream_pairs_only() {
    constexpr uint32_t type_mask = 0xf;
    call_with(SYS_socketpair, {{1, type_mask, {SOCK_STREAM}}}, EAFNOSUPPORT);
  }
  void answer(uint32_t result) { code_.push_back(BPF_STMT(BPF_RET | BPF_K, result)); }
  void install() {
    const sock_fprog program{.len = static_cast<unsigned short>(code_.size()), .filter = code_.data()};
    if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0)
      fail_errno(errno, "limiting the system calls");
  }

 private:
  void load(size_t offset) {
    code_.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset)));
  }
  void unless_equal(uint32_t value, uint8_t skipped) {
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, skipped, 0));
  }
  std::vector<sock_filter> code_;
};

}  // namespace

void restrict_calls() {
  constexpr uint32_t all = 0xffffffff;
  Program program;
  program.calls(plain_calls, allowed);
  program.calls(deadly_calls, deadly);
  program.calls(refused_calls, refused(EPERM));
  program.call_with(SYS_clone, {{0, CLONE_THREAD, {CLONE_THREAD}}}, EPERM);  // threads, no processes
  // Landlock's rules of ports are for TCP that is connected by connect(2). MPTCP, SMC and SCTP are other
  // protocols to it, and speak TCP to whoever knows no better; a message can open a connection, too.
  program.call_with(SYS_socket,
                    {{0, all, {AF_INET, AF_INET6, AF_NETLINK}}, {2, all, {0, IPPROTO_TCP, IPPROTO_UDP}}},
                    EAFNOSUPPORT);
  program.call_with(SYS_sendto, {{3, MSG_FASTOPEN, {0}}}, EPERM);
  program.call_with(SYS_sendmsg, {{2, MSG_FASTOPEN, {0}}}, EPERM);
  program.call_with(SYS_sendmmsg, {{3, MSG_FASTOPEN, {0}}}, EPERM);
  program.stream_pairs_only();
  program.call_with(SYS_fcntl, {{1, all, {F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC}}},
                    EPERM);
  program.call_with(SYS_ioctl, {{1, all, {FIONREAD, FIONBIO}}}, ENOTTY);
  program.call_with(SYS_prctl, {{0, all, {PR_SET_NAME, PR_GET_NAME}}}, EPERM);
  program.call_with(SYS_tgkill, {{0, all, {static_cast<uint32_t>(::getpid())}}}, EPERM);  // abort()
  program.call_with(SYS_prlimit64, {{0, all, {0}}}, EPERM);                               // its own
  program.answer(refused(ENOSYS));
  program.install();
}

}  // namespace flox::sandbox
