// For test/security/fetcher_isolation.sh: what could somebody do who has taken a fetcher over? Each attempt
// runs in a worker of its own, confined as a fetcher of the store at ROOT is, and is reported as one line:
//
//   NAME<TAB>done | refused: REASON | died of signal N
//
// fetcher_probe ROOT SECRET-FILE SOCKET
//
// Or how the installer gets on with one that asks and never reads an answer; one line, what serving it comes
// to:
//
// fetcher_probe --deaf
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <map>
#include <vector>

#include "base/confined/confined.h"
#include "base/error.h"
#include "base/os/fd.h"
#include "store/fetch/fetcher.h"

namespace flox::store {
namespace {

bool unconfined = false;

// What an attempt finds in the request: the store's root, a file that is none of its business, a socket, the
// directory that is its own.
struct Scene {
  std::string root, secret, socket, own;
  std::string store() const { return root + "/nix/store"; }
};

using Attempt = std::function<bool(const Scene&)>;  // whether it succeeded; errno says why not

bool opens(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
  if (fd >= 0) ::close(fd);
  return fd >= 0;
}

bool connects(int family, int type, const sockaddr* address, socklen_t size, int protocol = 0) {
  const Fd fd(::socket(family, type | SOCK_CLOEXEC, protocol));
  return fd && ::connect(fd.get(), address, size) == 0;
}

bool connects_to(const std::string& path, int type) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  return connects(AF_UNIX, type, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

sockaddr_in at_port(uint16_t port) {
  return {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
}

// Nobody listens there: it is the kernel's answer that tells.
bool reaches_port(uint16_t port, int protocol = 0) {
  const sockaddr_in address = at_port(port);
  return connects(AF_INET, SOCK_STREAM, reinterpret_cast<const sockaddr*>(&address), sizeof address,
                  protocol) ||
         errno == ECONNREFUSED;
}

// A message that opens its connection itself (TCP Fast Open).
bool reaches_port_by_message(uint16_t port, bool many) {
  const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = at_port(port);
  char byte = 'x';
  iovec piece{&byte, 1};
  mmsghdr message{};
  message.msg_hdr.msg_name = &address;
  message.msg_hdr.msg_namelen = sizeof address;
  message.msg_hdr.msg_iov = &piece;
  message.msg_hdr.msg_iovlen = 1;
  const ssize_t sent = many ? ::sendmmsg(fd.get(), &message, 1, MSG_FASTOPEN)
                            : ::sendto(fd.get(), &byte, 1, MSG_FASTOPEN,
                                       reinterpret_cast<const sockaddr*>(&address), sizeof address);
  return sent >= 0 || errno == ECONNREFUSED;
}

std::string in_parent(const char* file) { return "/proc/" + std::to_string(::getppid()) + "/" + file; }

const std::map<std::string, Attempt>& attempts() {
  static const std::map<std::string, Attempt> table = {
      // What an honest fetcher does: the proof that the others fail for the right reason.
      {"honest-write-own-directory",
       [](const Scene& s) { return opens(s.own + "/file", O_WRONLY | O_CREAT); }},
      {"honest-read-certificates", [](const Scene&) { return opens("/etc/ssl", O_RDONLY | O_DIRECTORY); }},
      {"honest-resolve-names", [](const Scene&) { return opens("/etc/hosts", O_RDONLY); }},
      {"honest-write-to-standard-error",  // but it is nobody's
       [](const Scene&) { return ::write(STDERR_FILENO, "forged line\n", 12) == 12; }},
      {"honest-tcp-socket", [](const Scene&) { return bool(Fd(::socket(AF_INET, SOCK_STREAM, 0))); }},
      {"honest-connect-to-cache", [](const Scene&) { return reaches_port(1); }},
      {"connect-to-another-port", [](const Scene&) { return reaches_port(2); }},
      {"connect-to-another-port-by-mptcp", [](const Scene&) { return reaches_port(2, IPPROTO_MPTCP); }},
      {"connect-to-another-port-by-fast-open",
       [](const Scene&) { return reaches_port_by_message(2, false); }},
      {"connect-to-another-port-by-fast-open-of-many",
       [](const Scene&) { return reaches_port_by_message(2, true); }},
      {"read-secret", [](const Scene& s) { return opens(s.secret, O_RDONLY); }},
      {"read-shadow", [](const Scene&) { return opens("/etc/shadow", O_RDONLY); }},
      {"read-passwd", [](const Scene&) { return opens("/etc/passwd", O_RDONLY); }},
      {"read-database", [](const Scene& s) { return opens(s.root + "/nix/var/nix/db/db.sqlite", O_RDONLY); }},
      {"read-claims", [](const Scene& s) { return opens(s.root + "/nix/var/nix/flox/claims", O_RDONLY); }},
      {"list-root-home", [](const Scene&) { return opens("/root", O_RDONLY | O_DIRECTORY); }},
      {"read-parents-memory", [](const Scene&) { return opens(in_parent("mem"), O_RDONLY); }},
      {"read-parents-environment", [](const Scene&) { return opens(in_parent("environ"), O_RDONLY); }},
      {"read-first-process", [](const Scene&) { return opens("/proc/1/environ", O_RDONLY); }},
      {"write-secret", [](const Scene& s) { return opens(s.secret, O_WRONLY | O_APPEND); }},
      {"truncate-secret", [](const Scene& s) { return ::truncate(s.secret.c_str(), 0) == 0; }},
      {"write-beside-secret", [](const Scene& s) { return opens(s.secret + ".new", O_WRONLY | O_CREAT); }},
      {"remove-secret", [](const Scene& s) { return ::unlink(s.secret.c_str()) == 0; }},
      {"link-secret-in",
       [](const Scene& s) { return ::link(s.secret.c_str(), (s.own + "/secret").c_str()) == 0; }},
      {"follow-own-link-out",
       [](const Scene& s) {
         const std::string link = s.own + "/out";
         return ::symlink(s.secret.c_str(), link.c_str()) == 0 && opens(link, O_RDONLY);
       }},
      {"write-tmp",
       [](const Scene&) { return opens("/tmp/flox-fetcher-probe", O_WRONLY | O_CREAT | O_EXCL); }},
      {"write-cron",
       [](const Scene&) { return opens("/etc/cron.d/flox-probe", O_WRONLY | O_CREAT | O_EXCL); }},
      {"write-store",
       [](const Scene& s) {
         return opens(s.store() + "/" + std::string(32, '0') + "-x", O_WRONLY | O_CREAT);
       }},
      {"rename-into-store",
       [](const Scene& s) {
         return ::mkdir((s.own + "/tree").c_str(), 0755) == 0 &&
                ::rename((s.own + "/tree").c_str(),
                         (s.store() + "/" + std::string(32, '0') + "-y").c_str()) == 0;
       }},
      {"write-staging",
       [](const Scene& s) { return ::mkdir((s.root + "/nix/var/nix/flox/staging/x").c_str(), 0755) == 0; }},
      {"write-scratch-of-others",
       [](const Scene& s) { return ::mkdir((s.root + "/nix/var/nix/flox/scratch/x").c_str(), 0755) == 0; }},
      {"make-gc-root",
       [](const Scene& s) { return ::symlink("/x", (s.root + "/nix/var/nix/gcroots/x").c_str()) == 0; }},
      {"make-device",
       [](const Scene& s) { return ::mknod((s.own + "/null").c_str(), S_IFCHR | 0666, 0x103) == 0; }},
      {"set-mode", [](const Scene& s) { return ::chmod(s.own.c_str(), 04777) == 0; }},
      {"set-owner", [](const Scene& s) { return ::chown(s.own.c_str(), 1, 1) == 0; }},
      {"signal-parent", [](const Scene&) { return ::kill(::getppid(), 0) == 0; }},
      {"signal-parent-by-thread",
       [](const Scene&) { return ::syscall(SYS_tgkill, ::getppid(), ::getppid(), 0) == 0; }},
      {"signal-everybody", [](const Scene&) { return ::kill(-1, 0) == 0; }},
      {"own-parent-for-sigio",
       [](const Scene&) {
         int ends[2];
         return ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 &&
                ::fcntl(ends[0], F_SETOWN, ::getppid()) == 0;
       }},
      {"limit-parent",
       [](const Scene&) {
         rlimit same{};
         ::getrlimit(RLIMIT_NOFILE, &same);
         return ::prlimit(::getppid(), RLIMIT_NOFILE, &same, nullptr) == 0;
       }},
      {"trace-parent",
       [](const Scene&) { return ::ptrace(PTRACE_SEIZE, ::getppid(), nullptr, nullptr) == 0; }},
      {"execute-shell",
       [](const Scene&) {
         ::execl("/bin/sh", "sh", "-c", "exit 0", nullptr);
         return false;
       }},
      {"fork",
       [](const Scene&) {
         const pid_t child = ::fork();
         if (child == 0) ::_exit(0);
         return child > 0;
       }},
      {"user-namespace", [](const Scene&) { return ::unshare(CLONE_NEWUSER) == 0; }},
      {"mount-namespace", [](const Scene&) { return ::unshare(CLONE_NEWNS) == 0; }},
      {"enter-namespace",
       [](const Scene&) {
         const Fd fd(::open("/proc/1/ns/mnt", O_RDONLY));
         return ::setns(fd.get(), 0) == 0;
       }},
      {"mount", [](const Scene& s) { return ::mount("tmpfs", s.own.c_str(), "tmpfs", 0, nullptr) == 0; }},
      {"change-root", [](const Scene& s) { return ::chroot(s.own.c_str()) == 0; }},
      {"bpf", [](const Scene&) { return ::syscall(SYS_bpf, 0, nullptr, 0) >= 0; }},
      {"keyring", [](const Scene&) { return ::syscall(SYS_keyctl, 0, -3, 1) >= 0; }},
      {"io-uring",
       [](const Scene&) {
         char parameters[256] = {};
         return ::syscall(SYS_io_uring_setup, 1, parameters) >= 0;
       }},
      {"perf", [](const Scene&) { return ::syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0) >= 0; }},
      {"load-module", [](const Scene&) { return ::syscall(SYS_init_module, nullptr, 0, "") == 0; }},
      {"become-other-user", [](const Scene&) { return ::syscall(SYS_setuid, 1) == 0; }},
      {"unix-socket", [](const Scene& s) { return connects_to(s.socket, SOCK_STREAM); }},
      {"datagram-pair-connected-anew",
       [](const Scene& s) {
         int ends[2];
         if (::socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) != 0) return false;
         sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
         std::strncpy(address.sun_path, s.socket.c_str(), sizeof address.sun_path - 1);
         return ::connect(ends[0], reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
                errno == EPROTOTYPE;  // it was found
       }},
      {"packet-socket", [](const Scene&) { return bool(Fd(::socket(AF_PACKET, SOCK_RAW, 0))); }},
      {"vsock", [](const Scene&) { return bool(Fd(::socket(AF_VSOCK, SOCK_STREAM, 0))); }},
      {"serve-tcp",
       [](const Scene&) {
         const Fd fd(::socket(AF_INET, SOCK_STREAM, 0));
         sockaddr_in address{
             .sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
         return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                ::listen(fd.get(), 1) == 0;
       }},
      {"outlive-parent", [](const Scene&) { return ::prctl(PR_SET_PDEATHSIG, 0) == 0; }},
      {"become-dumpable", [](const Scene&) { return ::prctl(PR_SET_DUMPABLE, 1) == 0; }},
      {"core-file",
       [](const Scene&) {
         const rlimit all{RLIM_INFINITY, RLIM_INFINITY};
         return ::setrlimit(RLIMIT_CORE, &all) == 0;
       }},
      {"memory-beyond-limit",
       [](const Scene&) {
         const size_t size = size_t{16} << 30;
         void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
         return memory != MAP_FAILED;
       }},
  };
  return table;
}

// The request: NAME, then the scene, one a line.
std::string try_it(std::string_view text, ConfinedChannel& channel) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  const Scene scene{.root = lines.at(1), .secret = lines.at(2), .socket = lines.at(3), .own = lines.at(4)};
  if (!unconfined) channel.confine();
  errno = 0;
  if (attempts().at(lines[0])(scene)) return "done";
  return fmt::format("refused: {}", std::strerror(errno));
}

// Asks or tells through the channel's own descriptor, for ever.
std::string say_only(std::string_view what, ConfinedChannel& channel) {
  channel.confine();
  constexpr int channel_fd = 3;
  constexpr unsigned char call = 2, note = 5;
  const unsigned char frame[] = {6, 0, 0, 0, what == "--deaf" ? call : note, 1, 0, 0, 0, '?'};
  while (::write(channel_fd, frame, sizeof frame) > 0) {
  }
  ::pause();
  return {};
}

int serve_for_ever(const char* what) {
  const std::string answer(1 << 20, 'x');
  try {
    run_confined({.job = "say",
                  .text = what,
                  .sandbox = {},
                  .deadline = std::chrono::seconds(2),
                  .on_call = [&](std::string_view) { return answer; },
                  .on_note = {}});
    fmt::print("served\n");
  } catch (const Error& error) {
    fmt::print("{}\n", error.what());
  }
  return 0;
}

}  // namespace
}  // namespace flox::store

int main(int argc, char** argv) {
  using namespace flox::store;
  unconfined = std::getenv("FLOX_PROBE_UNCONFINED") != nullptr;
  flox::add_confined_job("probe", try_it);
  flox::add_confined_job("say", say_only);
  if (const auto code = flox::run_confined_job(argc, argv)) return *code;
  if (argc == 2) return serve_for_ever(argv[1]);
  if (argc < 4) return 2;
  try {
    LocalStore store(argv[1]);
    NarinfoCache memory(store.state_directory() / "flox/narinfo-cache.sqlite", {});
    RealiseOptions options{.caches = {"http://127.0.0.1:1"}, .workers = 1};
    int failures = 0;
    for (const auto& [name, attempt] : attempts()) {
      Installer installer(store, options, memory);
      flox::ConfinedRequest request{.job = "probe",
                                    .text = fmt::format("{}\n{}\n{}\n{}\n{}\n", name, argv[1], argv[2],
                                                        argv[3], installer.directories().at(0).string()),
                                    .sandbox = fetcher_sandbox(installer.directories(), options)};
      std::string outcome;
      try {
        outcome = flox::run_confined(request, {"FLOX_PROBE_UNCONFINED"});
      } catch (const flox::Error& error) {
        outcome = error.what();
      }
      if ((outcome == "done") != name.starts_with("honest-")) ++failures;
      fmt::print("{}\t{}\n", name, outcome);
    }
    return failures == 0 ? 0 : 1;
  } catch (const std::exception& error) {
    flox::print_error(error);
    return 3;
  }
}
