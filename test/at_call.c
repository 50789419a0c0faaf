// Runs a command, counts the calls of the system by which it and what it starts change something, and does something at the
// N-th of them:
//
//   at_call REPORT ACTION N COMMAND…
//
//   count            nothing; N is not looked at
//   kill             SIGKILL to the command alone, before the call is made: whoever it has started is to notice by himself
//   fail=ENOSPC|EIO  the call is not made and fails so; counted are those that need the disk to take something
//   meanwhile        the shell command in $MEANWHILE runs before the call is made: to its end, or until it has waited for
//                    $MEANWHILE_WAIT milliseconds (default 300), which is somebody who waits for the command; it goes on then
//
// The file REPORT gets "calls COUNT"; "hit CALL FILE" with what the N-th was; "during CODE" with how $MEANWHILE ended; and
// "left PID NAME" for each process that is there though the command ended a while ago ($LEFT_WAIT seconds, default 10).
// The exit code is the command's, 128 more than its signal. Everything goes on that is left.
//
// By ptrace(2): whatever is linked in whichever way, and all threads and children are counted as one.
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static void stop(const char* what) {
  fprintf(stderr, "at_call: %s: %s\n", what, strerror(errno));
  exit(125);
}

// How a call is counted. PUT: the disk has to take something. CHANGE: names and attributes.
enum { PUT = 1, CHANGE = 2 };
enum { BY_NAME, BY_FILE, BY_FLAGS, BY_HOW, BY_ADDRESS };
static const struct call {
  long number;
  const char* name;
  int kind, by, argument;  // which argument says it: the descriptor, the flags, the address; of BY_NAME the name
} calls[] = {
#define CALL(name, kind, by, argument) {SYS_##name, #name, kind, by, argument}
    CALL(write, PUT, BY_FILE, 0),
    CALL(pwrite64, PUT, BY_FILE, 0),
    CALL(writev, PUT, BY_FILE, 0),
    CALL(pwritev, PUT, BY_FILE, 0),
    CALL(pwritev2, PUT, BY_FILE, 0),
    CALL(sendfile, PUT, BY_FILE, 0),
    CALL(copy_file_range, PUT, BY_FILE, 2),
    CALL(ftruncate, PUT, BY_FILE, 0),
    CALL(fallocate, PUT, BY_FILE, 0),
    CALL(fsync, PUT, BY_FILE, 0),
    CALL(fdatasync, PUT, BY_FILE, 0),
    CALL(syncfs, PUT, BY_FILE, 0),
    CALL(openat, PUT, BY_FLAGS, 2),
    CALL(openat2, PUT, BY_HOW, 2),
    CALL(renameat2, PUT, BY_NAME, 3),
    CALL(linkat, PUT, BY_NAME, 3),
    CALL(symlinkat, PUT, BY_NAME, 2),
    CALL(mkdirat, PUT, BY_NAME, 1),
    CALL(unlinkat, CHANGE, BY_NAME, 1),
    CALL(fchmod, CHANGE, BY_FILE, 0),
    CALL(fchmodat, CHANGE, BY_NAME, 1),
    CALL(utimensat, CHANGE, BY_NAME, 1),
    CALL(sendto, CHANGE, BY_FILE, 0),
    CALL(sendmsg, CHANGE, BY_FILE, 0),
    CALL(connect, CHANGE, BY_ADDRESS, 1),
#ifdef __x86_64__
    CALL(open, PUT, BY_FLAGS, 1),
    CALL(creat, PUT, BY_NAME, 0),
    CALL(rename, PUT, BY_NAME, 1),
    CALL(link, PUT, BY_NAME, 1),
    CALL(symlink, PUT, BY_NAME, 1),
    CALL(mkdir, PUT, BY_NAME, 0),
    CALL(unlink, CHANGE, BY_NAME, 0),
    CALL(rmdir, CHANGE, BY_NAME, 0),
    CALL(chmod, CHANGE, BY_NAME, 0),
#endif
    CALL(renameat, PUT, BY_NAME, 3),
};

static void read_memory(pid_t pid, uint64_t address, void* to, size_t size) {
  struct iovec local = {to, size}, remote = {(void*)address, size};
  memset(to, 0, size);
  process_vm_readv(pid, &local, 1, &remote, 1, 0);
}

// A text of at most PATH_MAX, of one page at least as much as there is.
static void read_text(pid_t pid, uint64_t address, char* to) {
  const size_t page = 4096, here = page - address % page;
  read_memory(pid, address, to, here < PATH_MAX ? here : PATH_MAX - 1);
  to[here < PATH_MAX ? here : PATH_MAX - 1] = 0;
  for (char* c = to; *c != 0; c++)
    if (*c == '\n') *c = ' ';
}

// Whether the call changes something that stays: of files those on a disk, of sockets all. `file` is for the report.
static int changes(pid_t pid, const struct call* call, const uint64_t* arguments, char* file) {
  char link[64];
  ssize_t size;
  struct open_how how;
  struct sockaddr address;
  file[0] = 0;
  switch (call->by) {
    case BY_FILE:
      if (arguments[call->argument] <= 2) return 0;
      snprintf(link, sizeof link, "/proc/%d/fd/%d", pid, (int)arguments[call->argument]);
      size = readlink(link, file, PATH_MAX - 1);
      if (size <= 0) return 0;
      file[size] = 0;
      if (strncmp(file, "socket:", 7) == 0) return 1;
      return file[0] == '/' && strncmp(file, "/dev/", 5) != 0 && strncmp(file, "/proc/", 6) != 0 && strncmp(file, "/memfd:", 7) != 0;
    case BY_NAME:
      read_text(pid, arguments[call->argument], file);
      return 1;
    case BY_FLAGS:
      read_text(pid, arguments[call->argument - 1], file);
      return (arguments[call->argument] & (O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))) != 0;
    case BY_HOW:
      read_text(pid, arguments[call->argument - 1], file);
      read_memory(pid, arguments[call->argument], &how, sizeof how);
      return (how.flags & (O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))) != 0;
    case BY_ADDRESS:
      read_memory(pid, arguments[call->argument], &address, sizeof address);
      return address.sa_family == AF_INET || address.sa_family == AF_INET6;
  }
  return 1;
}

// The call that a process stands before: another one, or what it gives.
static void set_call(pid_t pid, long number) {
#ifdef __x86_64__
  struct user_regs_struct registers;
  if (ptrace(PTRACE_GETREGS, pid, 0, &registers) != 0) return;
  registers.orig_rax = (unsigned long long)number;
  ptrace(PTRACE_SETREGS, pid, 0, &registers);
#else
  int n = (int)number;
  struct iovec part = {&n, sizeof n};
  ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &part);
#endif
}
static void set_result(pid_t pid, long result) {
#ifdef __x86_64__
  struct user_regs_struct registers;
  if (ptrace(PTRACE_GETREGS, pid, 0, &registers) != 0) return;
  registers.rax = (unsigned long long)result;
  ptrace(PTRACE_SETREGS, pid, 0, &registers);
#else
  struct user_regs_struct registers;
  struct iovec part = {&registers, sizeof registers};
  if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &part) != 0) return;
  registers.regs[0] = (unsigned long long)result;
  ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &part);
#endif
}

static volatile sig_atomic_t waited_long;
static void on_alarm(int number) {
  (void)number;
  waited_long = 1;
}

static FILE* report;
static pid_t command, during, failing;
static long counted, at;
static int error_number, kills, runs_during;

static int code_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

static void run_during(void) {
  const char* text = getenv("MEANWHILE");
  const char* wait = getenv("MEANWHILE_WAIT");
  during = fork();
  if (during == 0) {
    execl("/bin/sh", "sh", "-c", text == NULL ? "" : text, (char*)NULL);
    _exit(127);
  }
  int status;
  for (long left = wait == NULL ? 300 : atol(wait); left > 0; left -= 5) {
    if (waitpid(during, &status, WNOHANG) == during) {
      fprintf(report, "during %d\n", code_of(status));
      during = 0;
      return;
    }
    usleep(5000);
  }
  fprintf(report, "waits\n");
}

static void before_call(pid_t pid) {
  struct __ptrace_syscall_info info;
  if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void*)sizeof info, &info) <= 0) return;
  if (info.op == PTRACE_SYSCALL_INFO_EXIT && failing == pid) {
    set_result(pid, -error_number);
    failing = 0;
  }
  if (info.op != PTRACE_SYSCALL_INFO_ENTRY) return;
  static char file[PATH_MAX];
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    const struct call* call = &calls[i];
    uint64_t arguments[6];
    if ((uint64_t)call->number != info.entry.nr) continue;
    memcpy(arguments, info.entry.args, sizeof arguments);
    if (error_number != 0 && call->kind != PUT) return;
    if (!changes(pid, call, arguments, file)) return;
    if (error_number != 0 && strncmp(file, "socket:", 7) == 0) return;
    if (++counted != at) return;
    fprintf(report, "hit %s %s\n", call->name, file);
    if (kills) kill(command, SIGKILL);
    if (runs_during) run_during();
    if (error_number != 0) {
      set_call(pid, SYS_getpid);  // one that a filter of calls lets pass, too
      failing = pid;
    }
    return;
  }
}

int main(int argc, char** argv) {
  if (argc < 5) {
    fprintf(stderr, "usage: at_call REPORT count|kill|fail=ENOSPC|fail=EIO|meanwhile N COMMAND…\n");
    return 125;
  }
  report = fopen(argv[1], "we");
  if (report == NULL) stop(argv[1]);
  setvbuf(report, NULL, _IOLBF, 0);
  kills = strcmp(argv[2], "kill") == 0;
  runs_during = strcmp(argv[2], "meanwhile") == 0;
  error_number = strcmp(argv[2], "fail=ENOSPC") == 0 ? ENOSPC : strcmp(argv[2], "fail=EIO") == 0 ? EIO : 0;
  if (strcmp(argv[2], "count") != 0) at = atol(argv[3]);
  const char* left_wait = getenv("LEFT_WAIT");

  command = fork();
  if (command < 0) stop("fork");
  if (command == 0) {
    raise(SIGSTOP);
    execvp(argv[4], argv + 4);
    fprintf(stderr, "at_call: %s: %s\n", argv[4], strerror(errno));
    _exit(127);
  }
  int status = 0, result = 0, has_ended = 0;
  waitpid(command, &status, WUNTRACED);
  const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
  if (ptrace(PTRACE_SEIZE, command, 0, options) != 0) stop("tracing the command");
  kill(command, SIGCONT);
  const struct sigaction action = {.sa_handler = on_alarm};  // without SA_RESTART
  sigaction(SIGALRM, &action, NULL);

  while (!waited_long || during != 0) {
    const pid_t pid = waitpid(-1, &status, __WALL);
    if (pid < 0) {
      if (errno == ECHILD) break;
      continue;
    }
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      if (pid == during) {
        fprintf(report, "during %d\n", code_of(status));
        during = 0;
      }
      if (pid == command) {
        result = code_of(status);
        has_ended = 1;
        // Again and again: one alarm may come just before waitpid(2), which would wait for ever.
        const struct itimerval later = {.it_value = {.tv_sec = left_wait == NULL ? 10 : atol(left_wait), .tv_usec = 1},
                                        .it_interval = {.tv_sec = 1, .tv_usec = 0}};
        setitimer(ITIMER_REAL, &later, NULL);
      }
      continue;
    }
    if (!WIFSTOPPED(status) || pid == during) continue;
    const int number = WSTOPSIG(status), event = status >> 16;
    if (number == (SIGTRAP | 0x80)) {
      before_call(pid);
      ptrace(PTRACE_SYSCALL, pid, 0, 0);
    } else if (event == PTRACE_EVENT_STOP && number != SIGTRAP) {
      ptrace(PTRACE_LISTEN, pid, 0, 0);
    } else {
      ptrace(PTRACE_SYSCALL, pid, 0, event != 0 ? 0 : number);
    }
  }
  const struct itimerval never = {0};
  setitimer(ITIMER_REAL, &never, NULL);
  fprintf(report, "calls %ld\n", counted);
  if (waited_long) {
    // Who is still traced by this process.
    char line[256];
    FILE* tasks = popen("grep -l \"^TracerPid:[[:space:]]*$PPID$\" /proc/[0-9]*/status 2>/dev/null", "r");
    while (tasks != NULL && fgets(line, sizeof line, tasks) != NULL) {
      char name[64] = "";
      const int left = atoi(line + strlen("/proc/"));
      snprintf(line, sizeof line, "/proc/%d/comm", left);
      FILE* comm = fopen(line, "re");
      if (comm != NULL && fgets(name, sizeof name, comm) != NULL) fprintf(report, "left %d %s", left, name);
      if (comm != NULL) fclose(comm);
    }
    if (tasks != NULL) pclose(tasks);
  }
  return has_ended ? result : 125;
}
