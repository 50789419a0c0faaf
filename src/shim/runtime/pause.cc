// The process of a pod's sandbox: holds its namespaces open until it is told to end, and reaps what is
// re-parented to it when the pod shares one pid namespace. Every pod has one and its image holds nothing
// else, so it does without a C library: 1.5 KB instead of 680.
#include <linux/signal.h>
#include <sys/syscall.h>

namespace {

// A system call with up to four arguments, as the kernel's ABI of each architecture has it.
long system_call(long number, long a = 0, long b = 0, long c = 0, long d = 0) {
#if defined(__x86_64__)
  long result;
  register long fourth asm("r10") = d;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth)
               : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 asm("x8") = number;
  register long x0 asm("x0") = a;
  register long x1 asm("x1") = b;
  register long x2 asm("x2") = c;
  register long x3 asm("x3") = d;
  asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
  return x0;
#else
#error "the system call instruction of this architecture is not known"
#endif
}

constexpr unsigned long bit(int signal) { return 1UL << (signal - 1); }

}  // namespace

extern "C" [[noreturn]] void _start() {
  static const char name[] = "pause";
  constexpr long set_name = 15;  // PR_SET_NAME: executed from memory, it would be named after a descriptor
  system_call(SYS_prctl, set_name, reinterpret_cast<long>(name));
  constexpr long wait_no_hang = 1;
  constexpr long any_child = -1;
  // Blocked and waited for: the first process of a pid namespace gets only signals that it asks for.
  const unsigned long waited = bit(SIGTERM) | bit(SIGINT) | bit(SIGCHLD);
  const long set = reinterpret_cast<long>(&waited);
  system_call(SYS_rt_sigprocmask, SIG_BLOCK, set, 0, sizeof waited);
  for (;;) {
    long signal = system_call(SYS_rt_sigtimedwait, set, 0, 0, sizeof waited);
    if (signal == SIGTERM || signal == SIGINT) system_call(SYS_exit_group, 0);
    while (system_call(SYS_wait4, any_child, 0, wait_no_hang, 0) > 0) {
    }
  }
}
