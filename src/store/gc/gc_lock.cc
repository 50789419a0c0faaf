#include "store/gc/gc_lock.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <list>
#include <thread>

#include "base/error.h"
#include "base/log.h"
#include "store/local/local_store.h"
#include "store/local/path_lock.h"

namespace flox::store {
namespace {

constexpr size_t max_line = 4096;  // bytes; a store path has at most 255
constexpr size_t most_clients = 256;
constexpr auto quiet = std::chrono::milliseconds(20);

// Listens at DIRECTORY/socket, through the directory's descriptor: its path may be longer than a socket's
// address can hold. Only the store's owner may use it, as gc.lock: other users have nothing to announce.
Fd listen_in(const fs::path& directory) {
  const Fd parent = open_file(directory, O_PATH | O_DIRECTORY);
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const std::string path = fmt::format("/proc/self/fd/{}/socket", parent.get());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  ::unlinkat(parent.get(), "socket", 0);  // a killed collector's
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::chmod(path.c_str(), 0600) != 0 || ::listen(fd.get(), 64) != 0)
    fail_errno(errno, "listening at {}/socket", directory.string());
  return fd;
}

// A client that announces paths.
struct Client {
  Fd fd;
  std::string input;  // what came after the last whole line

  // Reads what there is and answers each line; false when the client is gone or sends a line that is too
  // long.
  bool serve(const std::function<void(std::string_view)>& announce) {
    char buffer[4096];
    const ssize_t size = ::recv(fd.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (size <= 0) return false;
    input.append(buffer, static_cast<size_t>(size));
    std::string answers;
    for (size_t end; (end = input.find('\n')) != std::string::npos; input.erase(0, end + 1)) {
      announce(std::string_view(input).substr(0, end));
      answers += '1';
    }
    if (input.size() > max_line) return false;
    // A client that reads no answers is not waited for.
    return answers.empty() || ::send(fd.get(), answers.data(), answers.size(), MSG_NOSIGNAL) ==
                                  static_cast<ssize_t>(answers.size());
  }
};

}  // namespace

// The thread that answers clients.
class GcLock::Listener {
 public:
  Listener(fs::path directory, std::function<void(std::string_view)> announce)
      : directory_(std::move(directory)),
        socket_(listen_in(directory_)),
        stop_(::eventfd(0, EFD_CLOEXEC)),
        announce_(std::move(announce)) {
    if (!stop_) fail_errno(errno, "making an event descriptor");
    thread_ = std::thread([this] { serve(); });
  }
  ~Listener() {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(stop_.get(), &one, sizeof one);
    thread_.join();
    ::unlink((directory_ / "socket").c_str());
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

 private:
  void serve() {
    for (;;) {
      const short accepting = clients_.size() < most_clients ? POLLIN : 0;
      std::vector<pollfd> ready{{stop_.get(), POLLIN, 0}, {socket_.get(), accepting, 0}};
      for (const Client& client : clients_) ready.push_back({client.fd.get(), POLLIN, 0});
      if (::poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR) return;
      if (ready[0].revents != 0) return;
      size_t i = 2;
      for (auto client = clients_.begin(); client != clients_.end(); ++i)
        client =
            ready[i].revents == 0 || client->serve(announce_) ? std::next(client) : clients_.erase(client);
      if (ready[1].revents != 0)
        if (Fd fd(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)); fd)
          clients_.push_back({.fd = std::move(fd), .input = {}});
    }
  }

  fs::path directory_;
  Fd socket_;
  Fd stop_;
  std::function<void(std::string_view)> announce_;
  std::list<Client> clients_;
  std::thread thread_;
};

GcLock::GcLock(const LocalStore& store) {
  const fs::path file = store.state_directory() / "gc.lock";
  lock_ = open_file(file, O_RDWR | O_CREAT, 0600);
  if (!lock_file(lock_.get(), LOCK_EX, false, file)) {
    log::debug("waiting for {}: another collector holds it", file.string());
    lock_file(lock_.get(), LOCK_EX, true, file);
  }
  listener_ = std::make_unique<Listener>(store.state_directory() / "gc-socket",
                                         [this](std::string_view line) { announce(line); });
}

GcLock::~GcLock() = default;

void GcLock::announce(std::string_view line) {
  const std::lock_guard lock(mutex_);
  last_announcement_ = std::chrono::steady_clock::now();
  try {
    std::string digest(StorePath::parse(line).digest());
    if (announced_.insert(digest).second) new_announcements_.push_back(std::move(digest));
  } catch (const Error& error) {  // only store paths are collected
    log::warning("announced to the collector: {}", error.what());
  }
}

void GcLock::wait_for_announcements(std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (;;) {
    const auto now = std::chrono::steady_clock::now();
    {
      const std::lock_guard lock(mutex_);
      if (now >= deadline || now - last_announcement_ >= quiet) return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

}  // namespace flox::store
