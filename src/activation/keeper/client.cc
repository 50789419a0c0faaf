#include "activation/keeper/client.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "activation/keeper/keeper.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "base/os/private_directory.h"
#include "base/os/process.h"
#include "nix/base32.h"

namespace flox::activation {
namespace {

constexpr size_t max_boot_id = 100;
constexpr auto said_after = std::chrono::seconds(1);

// A socket's name has at most 107 bytes, a directory's path has not: the name goes through its descriptor.
sockaddr_un address_in(const Directory& directory) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = fmt::format("/proc/self/fd/{}/socket", directory.fd());
  std::memcpy(address.sun_path, name.c_str(), name.size() + 1);
  return address;
}

Fd make_socket() {
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) fail_errno(errno, "making a socket");
  return socket;
}

std::optional<Fd> connected(const Directory& directory) {
  Fd socket = make_socket();
  const sockaddr_un address = address_in(directory);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED) return std::nullopt;
    fail_errno(errno, "connecting to the environment's keeper");
  }
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.uid != ::geteuid())
    fail(ErrorKind::untrusted, "the environment's keeper is a process of another user");
  return socket;
}

Fd listening(const Directory& directory) {
  directory.remove("socket");  // of a keeper that was killed
  Fd socket = make_socket();
  const sockaddr_un address = address_in(directory);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket.get(), 64) != 0)
    fail_errno(errno, "making the socket of the environment's keeper");
  return socket;
}

// In the child of a child, whom nobody waits for.
[[noreturn]] void become_keeper(char* const* argv, const std::array<int, 3>& kept, int null) {
  ::setsid();
  for (const int fd : {0, 1, 2}) ::dup2(null, fd);
  for (const int fd : kept) ::fcntl(fd, F_SETFD, 0);
  char* const environment[] = {nullptr};
  ::execve("/proc/self/exe", argv, environment);
  ::_exit(127);
}

// The keeper has the lock and listens from the beginning: whoever connects meanwhile waits for it.
void start_keeper(const Fd& lock, const Directory& directory, const fs::path& logs) {
  const Fd listener = listening(directory);
  const Fd null = open_file("/dev/null", O_RDWR);
  std::vector<std::string> words = keeper_words(lock.get(), listener.get(), directory.fd(), logs);
  const std::vector<char*> argv = exec_pointers(words);
  const std::array<int, 3> kept = {lock.get(), listener.get(), directory.fd()};
  const pid_t child = ::fork();
  if (child < 0) fail_errno(errno, "starting the environment's keeper");
  if (child == 0) {
    const pid_t keeper = ::fork();
    if (keeper == 0) become_keeper(argv.data(), kept, null.get());
    ::_exit(keeper < 0 ? 1 : 0);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0)
    fail(ErrorKind::unavailable, "starting the environment's keeper: no further process can be made");
}

}  // namespace

fs::path keeper_directory(const fs::path& environment, const fs::path& root) {
  const std::string scope = fmt::format("{}\n{}\n{}\n{}", environment.native(), root.native(),
                                        read_file("/proc/sys/kernel/random/boot_id", max_boot_id),
                                        fs::read_symlink("/proc/self/ns/pid").native());
  const Directory base(user_cache_directory("activations"));
  const std::string name = nix::to_base32(bytes_of(sha256(scope))).substr(0, 20);
  base.make_directory(name, 0700);
  return fs::path(base.name()) / name;
}

std::optional<KeeperClient> KeeperClient::find(const fs::path& directory) {
  if (auto socket = connected(Directory(directory))) return KeeperClient(std::move(*socket));
  return std::nullopt;
}

KeeperClient KeeperClient::find_or_start(const KeeperPlace& place, const std::function<void()>& waiting) {
  const Directory directory(place.directory);
  const auto begin = std::chrono::steady_clock::now();
  for (bool said = false;;) {
    if (auto socket = connected(directory)) return KeeperClient(std::move(*socket));
    // There is none, or it is being started, or it stops its services.
    const Fd lock = directory.open("lock", O_RDWR | O_CREAT, 0600);
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) {
      if (auto socket = connected(directory)) return KeeperClient(std::move(*socket));
      start_keeper(lock, directory, place.logs);
    } else {
      if (!said && waiting && std::chrono::steady_clock::now() - begin > said_after) {
        waiting();
        said = true;
      }
      ::poll(nullptr, 0, 10);
    }
  }
}

Answer KeeperClient::ask(const Request& request) {
  const char* gone = "the environment's keeper has ended";
  std::string_view rest;
  const std::string frame = framed(to_text(request));
  for (rest = frame; !rest.empty();) {
    const ssize_t count = ::send(socket_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw Error(ErrorKind::unavailable, gone);
    rest.remove_prefix(static_cast<size_t>(count));
  }
  std::string in;
  std::array<char, 64 << 10> buffer;
  for (;;) {
    if (const auto text = take_frame(in)) {
      Answer answer = parse_answer(*text);
      if (!answer.error.empty()) throw Error(ErrorKind::conflict, answer.error, answer.advice);
      return answer;
    }
    const ssize_t count = ::read(socket_.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) throw Error(ErrorKind::unavailable, gone);
    in.append(buffer.data(), static_cast<size_t>(count));
  }
}

Begun begin(const KeeperPlace& place, const Request& request, const std::function<void()>& waiting) {
  for (int attempt = 0;; ++attempt) {
    KeeperClient client = KeeperClient::find_or_start(place, waiting);
    try {
      Answer answer = client.ask(request);
      return {.client = std::move(client), .answer = std::move(answer)};
    } catch (const Error& error) {
      // It has ended between the two; one that cannot even start is not tried for ever.
      if (error.kind() != ErrorKind::unavailable || attempt == 100) throw;
      ::poll(nullptr, 0, 10);
    }
  }
}

}  // namespace flox::activation
