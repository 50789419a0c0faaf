// Loaded into flox-catalog or floxd (LD_PRELOAD): at one chosen call of the system that reads or writes a file or answers a
// client, the process is killed, the call fails, or the process is stopped until somebody continues it. Which one stands in the
// file FAULT_AT, which is shared memory: four numbers of 64 bits: how many calls there were, at which to act (0: never), what to
// do (0: kill, 1: fail, 2: stop, 3: write the kind of each call into the file, behind the four numbers), and of which kind the
// calls are that count (0: all). Calls are of one kind if the same functions of libraries, and the two of the program that called
// those, lead to them: a loop's are, and statements that differ in nothing but their text.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct control {
  int64_t calls, at, action;
  uint64_t kind;
  uint64_t kinds[16384];
};
static struct control* shared;
static int64_t most_kinds;  // for which the file has room
static __thread int looking;  // the first look at the stack opens a library

__attribute__((constructor)) static void begin(void) {
  const char* file = getenv("FAULT_AT");
  const int fd = file == NULL ? -1 : open(file, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  struct stat status;
  if (fstat(fd, &status) != 0) return;
  void* memory = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return;
  most_kinds = (status.st_size - (int64_t)offsetof(struct control, kinds)) / (int64_t)sizeof(uint64_t);
  shared = memory;
}

// A hash (FNV-1a) of where the functions are that led here, in their programs' files. Never 0.
static uint64_t kind_of_call(void) {
  void* frames[64];
  uint64_t hash = 14695981039346656037u;
  looking = 1;
  const int count = backtrace(frames, 64);
  Dl_info ours, found;
  dladdr(&shared, &ours);
  int of_program = 0;
  for (int i = 0; i < count && of_program < 2; i++) {
    uint64_t place = (uint64_t)frames[i];
    if (dladdr(frames[i], &found) != 0) {
      if (found.dli_fbase == ours.dli_fbase) continue;
      of_program += strstr(found.dli_fname, ".so") == NULL;
      place -= (uint64_t)found.dli_fbase;
    }
    for (int byte = 0; byte < 8; byte++) hash = (hash ^ (place >> 8 * byte & 255)) * 1099511628211u;
  }
  looking = 0;
  return hash | 1;
}

// Whether this call is to fail, with errno set.
static int fails(int error) {
  if (looking || shared == NULL || __atomic_load_n(&shared->at, __ATOMIC_SEQ_CST) == 0) return 0;
  if (shared->action == 3) {
    const uint64_t kind = kind_of_call();
    const int64_t call = __atomic_add_fetch(&shared->calls, 1, __ATOMIC_SEQ_CST);
    if (call <= most_kinds) shared->kinds[call - 1] = kind;
    return 0;
  }
  if (shared->kind != 0 && shared->kind != kind_of_call()) return 0;
  if (__atomic_add_fetch(&shared->calls, 1, __ATOMIC_SEQ_CST) != shared->at) return 0;
  if (shared->action == 0) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }
  if (shared->action == 2) {
    kill(getpid(), SIGSTOP);
    return 0;
  }
  errno = error;
  return 1;
}

// Files fail as a full or broken disk does, sockets as if the other side had gone: nothing comes from there any more, either. What wakes
// threads does not.
static int fails_on(int fd, int error) {
  struct stat status;
  const int before = errno;
  if (shared == NULL || shared->at == 0 || fstat(fd, &status) != 0) return 0;
  errno = before;
  if (S_ISSOCK(status.st_mode)) {
    if (!fails(ECONNRESET)) return 0;
    shutdown(fd, SHUT_RDWR);
    errno = ECONNRESET;
    return 1;
  }
  return (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)) && fails(error);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define WRAP(result, name, parameters, arguments, when) \
  result name parameters {                              \
    static __typeof__(&name) real;                      \
    if (real == NULL) real = REAL(name);                \
    return (when) ? -1 : real arguments;                \
  }

WRAP(ssize_t, write, (int fd, const void* data, size_t size), (fd, data, size), fails_on(fd, ENOSPC))
WRAP(ssize_t, writev, (int fd, const struct iovec* parts, int count), (fd, parts, count), fails_on(fd, ENOSPC))
WRAP(ssize_t, pwrite, (int fd, const void* data, size_t size, off_t at), (fd, data, size, at), fails_on(fd, ENOSPC))
WRAP(ssize_t, pwrite64, (int fd, const void* data, size_t size, off64_t at), (fd, data, size, at), fails_on(fd, ENOSPC))
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr* message, int flags), (fd, message, flags), fails_on(fd, EIO))
WRAP(ssize_t, send, (int fd, const void* data, size_t size, int flags), (fd, data, size, flags), fails_on(fd, EIO))
WRAP(int, fsync, (int fd), (fd), fails_on(fd, EIO))
WRAP(int, fdatasync, (int fd), (fd), fails_on(fd, EIO))
WRAP(int, ftruncate, (int fd, off_t size), (fd, size), fails_on(fd, EIO))
WRAP(int, ftruncate64, (int fd, off64_t size), (fd, size), fails_on(fd, EIO))
WRAP(int, flock, (int fd, int operation), (fd, operation), fails_on(fd, EIO))
WRAP(int, rename, (const char* from, const char* to), (from, to), fails(EIO))
WRAP(int, renameat, (int a, const char* from, int b, const char* to), (a, from, b, to), fails(EIO))
WRAP(int, renameat2, (int a, const char* from, int b, const char* to, unsigned flags), (a, from, b, to, flags), fails(EIO))
WRAP(int, linkat, (int a, const char* from, int b, const char* to, int flags), (a, from, b, to, flags), fails(EIO))
WRAP(int, unlink, (const char* path), (path), fails(EIO))
WRAP(int, unlinkat, (int fd, const char* path, int flags), (fd, path, flags), fails(EIO))

// Those that may have a mode.
#define WRAP_OPEN(name, before, pass)                            \
  int name before {                                              \
    static __typeof__(&name) real;                               \
    if (real == NULL) real = REAL(name);                         \
    mode_t mode = 0;                                             \
    if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE) { \
      va_list rest;                                              \
      va_start(rest, flags);                                     \
      mode = va_arg(rest, mode_t);                               \
      va_end(rest);                                              \
    }                                                            \
    return fails(EMFILE) ? -1 : real pass;                       \
  }
WRAP_OPEN(open, (const char* path, int flags, ...), (path, flags, mode))
WRAP_OPEN(open64, (const char* path, int flags, ...), (path, flags, mode))
WRAP_OPEN(openat, (int fd, const char* path, int flags, ...), (fd, path, flags, mode))
WRAP_OPEN(openat64, (int fd, const char* path, int flags, ...), (fd, path, flags, mode))

// openat2, which has no function of its own.
long syscall(long number, ...) {
  static long (*real)(long, ...);
  if (real == NULL) real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
  va_list rest;
  va_start(rest, number);
  const long a = va_arg(rest, long), b = va_arg(rest, long), c = va_arg(rest, long), d = va_arg(rest, long), e = va_arg(rest, long),
             f = va_arg(rest, long);
  va_end(rest);
  return number == SYS_openat2 && fails(EMFILE) ? -1 : real(number, a, b, c, d, e, f);
}
