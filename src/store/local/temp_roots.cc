#include "store/local/temp_roots.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <random>
#include <thread>

#include "base/error.h"
#include "base/os/file.h"
#include "store/local/path_lock.h"

namespace flox::store {
namespace {

// Nix parses the names of these files as numbers and takes them for process ids. A number that no process can
// have keeps us clear of processes with our id in other PID namespaces, who would remove our file.
constexpr int first_name = 4194305;
constexpr int last_name = 2147483647;

constexpr size_t announced_at_once = 256;  // lines, at most 255 bytes each: they fit into a socket's buffer
constexpr auto collector_retry = std::chrono::milliseconds(100);
constexpr auto collector_deadline = std::chrono::minutes(10);

Fd connect_to(const std::filesystem::path& socket) {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) fail_errno(errno, "making a socket");
  // Through the directory's descriptor: the path may be longer than a socket address can hold.
  const Fd directory(::open(directory_of(socket).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const std::string path = fmt::format("/proc/self/fd/{}/{}", directory.get(), socket.filename().string());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof address.sun_path - 1));
  if (!directory || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return {};
  return fd;
}

}  // namespace

TempRoots::~TempRoots() {
  if (fd_) ::unlink(file_.c_str());
}

void TempRoots::open_own_file() {
  std::random_device random;
  std::uniform_int_distribution<int> names(first_name, last_name);
  const std::filesystem::path directory = state_ / "temproots";
  for (;;) {
    file_ = directory / std::to_string(names(random));
    Fd fd(::open(file_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd && errno == EEXIST) continue;
    if (!fd) fail_errno(errno, "making the temporary roots file {}", file_.string());
    lock_file(fd.get(), LOCK_EX, true, file_);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) fail_errno(errno, "reading {}", file_.string());
    if (status.st_size != 0) continue;  // a collector was faster and took the file for a dead process's
    fd_ = std::move(fd);
    return;
  }
}

// Tells a running collector of the paths and waits until it has taken note; false if it went meanwhile.
bool TempRoots::announce(const nix::StorePathSet& paths) const {
  const Fd socket = connect_to(state_ / "gc-socket" / "socket");
  if (!socket) return false;
  // Many at once: an exchange for each takes a hundred times as long. One answer a line, in order.
  for (auto next = paths.begin(); next != paths.end();) {
    std::string lines;
    size_t count = 0;
    for (; next != paths.end() && count < announced_at_once; ++next, ++count)
      lines.append(next->to_string()).push_back('\n');
    if (::send(socket.get(), lines.data(), lines.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(lines.size()))
      return false;
    for (char answers[announced_at_once]; count > 0;) {
      // A collector that ends closes its connections, also with lines unread: that is no error.
      const ssize_t got = ::recv(socket.get(), answers, count, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0 || !std::all_of(answers, answers + got, [](char c) { return c == '1'; })) return false;
      count -= static_cast<size_t>(got);
    }
  }
  return true;
}

void TempRoots::add(const nix::StorePathSet& paths) {
  const std::lock_guard lock(mutex_);
  nix::StorePathSet fresh;
  for (const nix::StorePath& path : paths)
    if (!known_.contains(path)) fresh.insert(path);
  if (fresh.empty()) return;
  if (!fd_) open_own_file();
  const std::filesystem::path gc_lock = state_ / "gc.lock";
  if (!gc_lock_) gc_lock_ = open_file(gc_lock.string(), O_RDWR | O_CREAT, 0600);

  const auto deadline = std::chrono::steady_clock::now() + collector_deadline;
  bool locked = false;
  while (!(locked = lock_file(gc_lock_.get(), LOCK_SH, false, gc_lock)) && !announce(fresh)) {
    if (std::chrono::steady_clock::now() > deadline)
      throw Error(ErrorKind::unavailable,
                  fmt::format("{} is held by a garbage collector that does not answer", gc_lock.string()),
                  "Wait until the collection is over, or find the process that holds this file.");
    std::this_thread::sleep_for(collector_retry);
  }
  std::string text;
  for (const nix::StorePath& path : fresh) text.append(path.to_string()).push_back('\0');
  write_all(fd_.get(), text);
  if (locked) ::flock(gc_lock_.get(), LOCK_UN);
  known_.merge(fresh);
}

}  // namespace flox::store
