#include "package/build/access_watch.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <optional>

#include "base/at_or_below.h"
#include "base/error.h"
#include "nix/store_path.h"
#include "package/elf.h"

namespace flox::package {
namespace {

namespace fs = std::filesystem;

#if defined(__x86_64__)
constexpr uint32_t architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t architecture = AUDIT_ARCH_AARCH64;
#else
#error "the system calls of this architecture are not listed"
#endif

constexpr size_t most_known_bytes = size_t{32} << 20;
constexpr size_t most_watched_programs = 1000;  // of the machine, whose libraries are remembered
constexpr size_t most_libraries = 1000;         // of each

// Arguments of a call, by number; -1: it has none.
struct CallShape {
  int number;
  int directory;  // descriptor that the path is relative to
  int path;
  int flags;  // of open(2) if `opens`, else AT_*
  AccessKind kind;
  bool opens = false;
};

constexpr CallShape shapes[] = {
    {SYS_openat, 0, 1, 2, AccessKind::read, true},    {SYS_openat2, 0, 1, -1, AccessKind::read},
    {SYS_execve, -1, 0, -1, AccessKind::executed},    {SYS_execveat, 0, 1, 4, AccessKind::executed},
    {SYS_newfstatat, 0, 1, 3, AccessKind::examined},  {SYS_statx, 0, 1, 2, AccessKind::examined},
    {SYS_faccessat, 0, 1, -1, AccessKind::examined},  {SYS_faccessat2, 0, 1, 3, AccessKind::examined},
    {SYS_readlinkat, 0, 1, -1, AccessKind::examined}, {SYS_connect, -1, 1, -1, AccessKind::connected},
#ifdef SYS_open  // what newer architectures have only in the forms above
    {SYS_open, -1, 0, 1, AccessKind::read, true},     {SYS_creat, -1, 0, -1, AccessKind::wrote},
    {SYS_stat, -1, 0, -1, AccessKind::examined},      {SYS_lstat, -1, 0, -1, AccessKind::examined},
    {SYS_access, -1, 0, -1, AccessKind::examined},    {SYS_readlink, -1, 0, -1, AccessKind::examined},
#endif
};

const CallShape* shape_of(int number) {
  const auto* found = std::ranges::find(shapes, number, &CallShape::number);
  return found == std::end(shapes) ? nullptr : found;
}

// What every machine has of its own.
constexpr std::string_view everywhere[] = {"/proc",
                                           "/dev",
                                           "/sys",
                                           "/etc/ld.so.cache",
                                           "/etc/ld.so.preload",
                                           "/etc/localtime",
                                           "/etc/nsswitch.conf",
                                           "/etc/passwd",
                                           "/etc/group",
                                           "/etc/resolv.conf",
                                           "/etc/host.conf",
                                           "/etc/gai.conf",
                                           "/etc/services",
                                           "/etc/protocols",
                                           "/usr/lib/locale",
                                           "/usr/share/locale",
                                           "/usr/share/zoneinfo",
                                           "/run/nscd",
                                           "/var/run/nscd"};

// Also the tables of character sets, in whichever directory the machine's libraries are.
bool is_everywhere(std::string_view path) {
  return std::ranges::any_of(everywhere,
                             [&](std::string_view place) { return is_at_or_below(path, place); }) ||
         (path.starts_with("/usr/lib") && path.find("/gconv/") != std::string_view::npos);
}

std::string link_text(const std::string& link) {
  std::array<char, PATH_MAX> text;
  const ssize_t size = ::readlink(link.c_str(), text.data(), text.size());
  return size < 0 ? std::string() : std::string(text.data(), static_cast<size_t>(size));
}

std::string own_name(int fd) { return link_text(fmt::format("/proc/self/fd/{}", fd)); }

// Calls with AT_EMPTY_PATH ask of a descriptor, as fstat(3) does: with most builds the most frequent of all.
std::vector<sock_filter> notifying_filter() {
  std::vector<sock_filter> code = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, architecture, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
#ifdef __x86_64__  // the calls of x32, which have other numbers for the same
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, __X32_SYSCALL_BIT, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
#endif
  };
  for (const CallShape& shape : shapes) {
    const bool by_descriptor = shape.kind == AccessKind::examined && shape.flags >= 0;
    code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(shape.number), 0,
                            static_cast<uint8_t>(by_descriptor ? 4 : 1)));
    if (by_descriptor) {
      const auto flags = offsetof(seccomp_data, args) + sizeof(uint64_t) * static_cast<size_t>(shape.flags);
      code.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(flags)));
      code.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, AT_EMPTY_PATH, 0, 1));
      code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    }
    code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
  }
  code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  return code;
}

// Before Linux 5.19 a signal interrupts a call that is being looked at, and it is told of again.
int install_filter(std::vector<sock_filter>& code) {
  sock_fprog filter{.len = static_cast<unsigned short>(code.size()), .filter = code.data()};
  constexpr unsigned long listener = SECCOMP_FILTER_FLAG_NEW_LISTENER, killable = 1UL << 5;
  for (const unsigned long flags : {listener | killable, listener}) {
    const long fd = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
    if (fd >= 0 || errno != EINVAL) return static_cast<int>(fd);
  }
  return -1;
}

// Up to `size` bytes; what stands behind the end of the process's memory is missing. -1 as errno says.
ssize_t read_memory(pid_t pid, uint64_t from, void* to, size_t size) {
  constexpr uint64_t page = 4096;
  iovec local{.iov_base = to, .iov_len = size};
  std::array<iovec, 3> remote;
  size_t parts = 0;
  for (size_t done = 0; done < size && parts < remote.size(); ++parts) {
    const size_t part = std::min<size_t>(size - done, page - (from + done) % page);
    remote[parts] = {.iov_base = reinterpret_cast<void*>(from + done), .iov_len = part};
    done += part;
  }
  return ::process_vm_readv(pid, &local, 1, remote.data(), parts, 0);
}

void send_descriptors(int socket, int first, int second) {
  const std::array<int, 2> fds{first, second};
  char byte = 0;
  iovec text{.iov_base = &byte, .iov_len = 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(fds))> control{};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(fds));
  std::memcpy(CMSG_DATA(header), fds.data(), sizeof(fds));
  if (::sendmsg(socket, &message, MSG_NOSIGNAL) < 0)
    fail_errno(errno, "handing over what tells of its files");
}

}  // namespace

struct AccessWatch::Call {
  pid_t pid = 0;
  AccessKind kind = AccessKind::examined;
  std::string path;     // from the root, not without links
  std::string program;  // that makes the call; empty: the process's
  int depth = 0;        // of scripts that are run by scripts
};

AccessWatch::AccessWatch(const AccessRules& rules, Accesses& accesses) : rules_(rules), accesses_(accesses) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    fail_errno(errno, "making a channel to the build");
  near_.reset(ends[0]);
  far_.reset(ends[1]);
}

void AccessWatch::begin() {
  const Fd root = open_file("/", O_PATH | O_DIRECTORY);
  std::vector<sock_filter> code = notifying_filter();
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail_errno(errno, "giving up privileges");
  const Fd listener(install_filter(code));
  if (!listener) {
    const std::string why = errno == EBUSY ? "another program watches this one already"
                                           : std::string("the kernel answers ") + std::strerror(errno);
    throw Error(ErrorKind::unavailable, "seeing which files the command uses: " + why,
                "It needs Linux 5.6 with seccomp(2), not inside of another such build: build with sandbox = "
                "\"pure\" or \"off\" here.");
  }
  send_descriptors(far_.get(), listener.get(), root.get());
}

void AccessWatch::receive_listener() {
  std::array<int, 2> fds{-1, -1};
  char byte = 0;
  iovec text{.iov_base = &byte, .iov_len = 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(fds))> control{};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t size = ::recvmsg(near_.get(), &message, MSG_CMSG_CLOEXEC);
  near_.reset();
  const cmsghdr* header = size > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(fds)))
    return;
  std::memcpy(fds.data(), CMSG_DATA(header), sizeof(fds));
  listener_.reset(fds[0]);
  root_.reset(fds[1]);
  root_name_ = own_name(root_.get());
  if (root_name_ == "/") root_name_.clear();
}

void AccessWatch::attend(pid_t process) {
  far_.reset();
  const Fd ended(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
  if (!ended) fail_errno(errno, "watching the command");
  for (;;) {
    std::array<pollfd, 3> events{{{.fd = ended.get(), .events = POLLIN, .revents = 0},
                                  {.fd = near_.get(), .events = POLLIN, .revents = 0},
                                  {.fd = listener_.get(), .events = POLLIN, .revents = 0}}};
    if (::poll(events.data(), events.size(), -1) < 0) {
      if (errno == EINTR) continue;
      fail_errno(errno, "watching the command");
    }
    if (events[1].revents != 0) receive_listener();
    if ((events[2].revents & POLLIN) != 0)
      serve();
    else if (events[2].revents != 0)
      listener_.reset();
    if (events[0].revents != 0) return;
  }
}

void AccessWatch::serve() {
  // Kernels of later versions write longer structures if they are asked with those; ours has these.
  seccomp_notif asked{};
  if (::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0)
    return;  // it has been killed meanwhile
  Call call;
  // If the process has been killed meanwhile, another one may have its id, and that one's memory was read.
  if (read_call(asked, call) && ::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_ID_VALID, &asked.id) == 0)
    judge(call);
  seccomp_notif_resp answer{.id = asked.id, .val = 0, .error = 0, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
  ::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

bool AccessWatch::read_call(const seccomp_notif& asked, Call& call) {
  const CallShape* shape = shape_of(asked.data.nr);
  if (shape == nullptr) return false;
  const auto argument = [&](int at) { return asked.data.args[static_cast<size_t>(at)]; };
  call.pid = static_cast<pid_t>(asked.pid);
  call.kind = shape->kind;
  if (shape->opens) {
    const auto flags = static_cast<int>(argument(shape->flags));
    if ((flags & O_PATH) != 0)
      call.kind = AccessKind::examined;
    else if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT) != 0)
      call.kind = AccessKind::wrote;
  }
  std::array<char, PATH_MAX> memory;
  const ssize_t size = read_memory(call.pid, argument(shape->path), memory.data(), memory.size());
  if (size < 0 && errno == EPERM && !has_read_)
    throw Error(ErrorKind::unavailable,
                "seeing which files the command uses: this user may not read the memory of its processes",
                "Set the kernel's kernel.yama.ptrace_scope to 1 or 0, build as root, or with sandbox = "
                "\"pure\" or \"off\".");
  if (size < 0) {
    if (errno == EPERM) accesses_.add_unseen();  // a wrong address is the caller's own trouble
    return false;
  }
  has_read_ = true;
  const char* begin = memory.data();
  auto length = static_cast<size_t>(size);
  if (shape->kind == AccessKind::connected) {
    sa_family_t family = AF_UNSPEC;
    constexpr size_t head = offsetof(sockaddr_un, sun_path);
    if (length < head) return false;
    std::memcpy(&family, begin, sizeof(family));
    if (family != AF_UNIX || begin[head] == '\0') return false;
    begin += head;
    length =
        std::min({length - head, sizeof(sockaddr_un::sun_path), static_cast<size_t>(argument(2)) - head});
  }
  const size_t end = ::strnlen(begin, length);
  call.path.assign(begin, end);
  if (call.path.empty() && shape->kind == AccessKind::executed && shape->flags >= 0)
    call.path = without_root(
        link_text(fmt::format("/proc/{}/fd/{}", call.pid, static_cast<int>(argument(shape->directory)))));
  if (call.path.empty()) return false;
  if (call.path.front() != '/') {
    const int directory = shape->directory < 0 ? AT_FDCWD : static_cast<int>(argument(shape->directory));
    const std::string base =
        without_root(link_text(directory == AT_FDCWD ? fmt::format("/proc/{}/cwd", call.pid)
                                                     : fmt::format("/proc/{}/fd/{}", call.pid, directory)));
    if (base.empty() || base.front() != '/') return false;
    call.path = base + "/" + call.path;
  }
  return true;
}

// A file's name as the kernel tells it to this process, as the command has it.
std::string AccessWatch::without_root(std::string name) const {
  if (is_at_or_below(name, root_name_)) name.erase(0, root_name_.size());
  return name;
}

bool AccessWatch::may_use(std::string_view real) const {
  constexpr std::string_view store = nix::store_dir;
  for (const std::string_view place : {store, std::string_view(rules_.store)}) {
    if (place.empty() || !is_at_or_below(real, place) || real.size() <= place.size() + 1) continue;
    const std::string_view name = real.substr(place.size() + 1);
    return rules_.store_paths.contains(name.substr(0, name.find('/')));
  }
  return std::ranges::any_of(rules_.directories,
                             [&](const std::string& place) { return is_at_or_below(real, place); }) ||
         rules_.allowed.contain(real);
}

// Whether it is there only because something else that may be used is below it.
bool AccessWatch::leads_to_allowed(std::string_view directory) const {
  return is_at_or_below(nix::store_dir, directory) || is_at_or_below("/usr/bin", directory) ||
         directory == "/bin" || directory == "/etc" || directory == "/tmp" ||
         std::ranges::any_of(rules_.directories,
                             [&](const std::string& place) { return is_at_or_below(place, directory); });
}

// As the command would find it.
Fd AccessWatch::open_inside(const std::string& path, int flags) const {
  open_how how{};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return Fd(static_cast<int>(::syscall(SYS_openat2, root_.get(), path.c_str(), &how, sizeof(how))));
}

// Libraries that a program of the machine is linked with: they come and go with it.
bool AccessWatch::goes_with_program(const std::string& program, const std::string& library) {
  if (program.empty() || program.front() != '/' || may_use(program)) return false;
  const auto [entry, is_new] = libraries_.try_emplace(program);
  std::set<std::string>& known = entry->second;
  const auto add_needed_by = [&](const std::string& file) {
    const Fd opened = open_inside(file, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    struct stat status {};
    // What a library is called may be a fifo, which would be waited for.
    if (!opened || ::fstat(opened.get(), &status) != 0 || !S_ISREG(status.st_mode)) return;
    try {
      if (const auto elf = read_elf(fmt::format("/proc/self/fd/{}", opened.get())))
        for (const std::string& needed : elf->needed)
          if (known.size() < most_libraries) known.insert(needed);
    } catch (const Error&) {  // damaged: it will not load anything either
    }
  };
  if (is_new) {
    if (libraries_.size() > most_watched_programs) return libraries_.erase(entry), false;
    add_needed_by(program);
  }
  if (!known.contains(fs::path(library).filename().string())) return false;
  add_needed_by(library);
  return true;
}

std::optional<AccessWatch::Verdict> AccessWatch::verdict_of(const Call& call) {
  const std::string& path = call.path;
  if (is_everywhere(path) && path.find("/..") == std::string::npos) return Verdict{};
  Fd found = open_inside(path, O_PATH);
  const bool is_visible = static_cast<bool>(found);
  if (!is_visible && rules_.own_root) found.reset(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!found) return std::nullopt;
  Verdict verdict;
  std::string real = own_name(found.get());
  if (is_visible) real = without_root(std::move(real));
  struct stat status {};
  if (::fstat(found.get(), &status) != 0) return std::nullopt;
  verdict.directory = S_ISDIR(status.st_mode);
  if ((is_visible && rules_.own_root) || real.empty() || real.front() != '/' || is_everywhere(real))
    return verdict;
  if (may_use(real) || (verdict.directory && leads_to_allowed(real))) return verdict;
  // With merged /usr or without: /bin/sh and /usr/bin/env are in every root.
  if (path == "/bin/sh" || path == "/usr/bin/env") return verdict;
  verdict.real = std::move(real);
  return verdict;
}

// What a script is run by, or a program that may be used itself.
void AccessWatch::look_for_interpreter(Verdict& verdict, const std::string& path) {
  if (std::exchange(verdict.interpreter_known, true)) return;
  const Fd file = open_inside(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return;
  std::array<char, 256> head{};  // as much as the kernel looks at
  const ssize_t size = ::pread(file.get(), head.data(), head.size(), 0);
  const std::string_view text(head.data(), size < 0 ? 0 : static_cast<size_t>(size));
  if (text.starts_with("#!")) {
    const size_t begin = text.find_first_not_of(" \t", 2);
    if (begin != std::string_view::npos)
      verdict.interpreter = text.substr(begin, text.find_first_of(" \t\n", begin) - begin);
    return;
  }
  if (!verdict.real.empty()) return;  // its loader goes with it
  try {
    if (const auto elf = read_elf(fmt::format("/proc/self/fd/{}", file.get())))
      verdict.interpreter = elf->interpreter;
  } catch (const Error&) {  // damaged: it does not run
  }
}

void AccessWatch::judge(const Call& call) {
  auto known = known_.find(call.path);
  if (known == known_.end()) {
    std::optional<Verdict> verdict = verdict_of(call);
    if (!verdict) return;  // there is none, and so it would be anywhere
    if (known_bytes_ > most_known_bytes) {
      known_.clear();
      known_bytes_ = 0;
    }
    known_bytes_ += call.path.size() + verdict->real.size() + sizeof(Verdict) + 64;
    known = known_.emplace(call.path, std::move(*verdict)).first;
  }
  tell(known->second, call);
  if (call.kind != AccessKind::executed || known->second.directory) return;
  look_for_interpreter(known->second, call.path);
  constexpr int deepest = 4;  // as the kernel has it
  // A copy: looking at the interpreter may forget all that is known.
  const std::string interpreter = known->second.interpreter;
  if (interpreter.empty() || interpreter.front() != '/' || call.depth == deepest) return;
  judge({.pid = call.pid,
         .kind = AccessKind::executed,
         .path = interpreter,
         .program = call.path,
         .depth = call.depth + 1});
}

void AccessWatch::tell(const Verdict& verdict, const Call& call) {
  if (verdict.real.empty()) return;
  AccessKind kind = call.kind;
  if (verdict.directory) {
    if (kind != AccessKind::read) return;
    kind = AccessKind::listed;
  }
  const std::string program =
      call.program.empty() ? without_root(link_text(fmt::format("/proc/{}/exe", call.pid))) : call.program;
  if (kind == AccessKind::executed || !goes_with_program(program, verdict.real))
    accesses_.add(verdict.real, kind, program);
}

}  // namespace flox::package
