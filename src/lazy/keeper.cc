#include "lazy/keeper.h"

#include <poll.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/log.h"

namespace flox::lazy {
namespace {

constexpr size_t most_message = 1024;
constexpr size_t terms_size = 5;
constexpr std::string_view take = "take", keep = "keep", kept = "kept", refused = "error";

struct Message {
  std::string text;
  Fd fd;
};

std::string to_text(FuseTerms terms) {
  std::string text;
  for (int shift = 0; shift < 32; shift += 8) text += static_cast<char>(terms.most_read >> shift);
  text += terms.resend ? '\1' : '\0';
  return text;
}

FuseTerms to_terms(std::string_view text) {
  if (text.size() != terms_size)
    fail(ErrorKind::invalid_input, "the terms of a mount have {} bytes", text.size());
  FuseTerms terms;
  for (size_t i = 0; i < 4; ++i)
    terms.most_read |= static_cast<uint32_t>(static_cast<unsigned char>(text[i])) << 8 * i;
  terms.resend = text[4] != 0;
  return terms;
}

void send_message(int socket, std::string_view text, int fd = -1) {
  iovec part{const_cast<char*>(text.data()), text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  while (sendmsg(socket, &message, MSG_NOSIGNAL) < 0)
    if (errno != EINTR) fail_errno(errno, "sending a message");
}

// Nothing if the other side went away or says nothing within its time.
std::optional<Message> receive_message(int socket) {
  Message result;
  result.text.resize(most_message);
  iovec part{result.text.data(), result.text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t got;
  while ((got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
  }
  if (got <= 0 || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return {};
  result.text.resize(static_cast<size_t>(got));
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
    int fd;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    result.fd.reset(fd);
  }
  return result;
}

sockaddr_un address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.native().size() >= sizeof address.sun_path)
    fail(ErrorKind::invalid_input, "{}: too long for a socket's path", path.native());
  std::memcpy(address.sun_path, path.c_str(), path.native().size());
  return address;
}

Fd make_socket() {
  Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket) fail_errno(errno, "making a socket");
  return socket;
}

Fd listen_at(const std::filesystem::path& path) {
  Fd socket = make_socket();
  const sockaddr_un address = address_of(path);
  unlink(path.c_str());
  const mode_t before = umask(0177);
  const int bound = bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = errno;
  umask(before);
  if (bound != 0) fail_errno(error, "making the socket {}", path.native());
  if (listen(socket.get(), 4) != 0) fail_errno(errno, "listening on {}", path.native());
  return socket;
}

void limit_time(int socket, int seconds) {
  const timeval most{seconds, 0};
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
  setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
}

Message ask(const std::filesystem::path& path, std::string_view text, int fd = -1) {
  const Fd socket = make_socket();
  const sockaddr_un address = address_of(path);
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw Error(ErrorKind::unavailable,
                fmt::format("asking flox-lazy-keeper at {}: {}", path.native(), std::strerror(errno)),
                "Start flox-lazy-keeper on this node; without it nothing starts before it is whole.");
  limit_time(socket.get(), 10);
  send_message(socket.get(), text, fd);
  auto answer = receive_message(socket.get());
  if (!answer) fail(ErrorKind::unavailable, "flox-lazy-keeper at {} does not answer", path.native());
  if (answer->text.starts_with(refused))
    fail(ErrorKind::conflict, "flox-lazy-keeper: {}", answer->text.substr(refused.size()));
  return std::move(*answer);
}

class Keeper {
 public:
  explicit Keeper(std::filesystem::path directory) : directory_(std::move(directory)) {}
  ~Keeper() {
    if (mount_) umount2(directory_.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
  }
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  void serve(int connection) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.uid != geteuid()) return;
    limit_time(connection, 2);
    auto message = receive_message(connection);
    if (!message) return;
    try {
      if (message->text == take) {
        if (!mount_) mount_ = make_mount();
        send_message(connection, to_text(mount_->terms), mount_->device.get());
      } else if (message->text.starts_with(keep) && message->fd) {
        if (mount_) fail(ErrorKind::conflict, "a mount is kept already");
        mount_ =
            FuseMount{std::move(message->fd), to_terms(std::string_view(message->text).substr(keep.size()))};
        send_message(connection, kept);
      } else {
        fail(ErrorKind::invalid_input, "not a message that is known here");
      }
    } catch (const Error& error) {
      log::error("{}", error.what());
      send_message(connection, fmt::format("{}{}", refused, error.what()).substr(0, most_message));
    }
  }

 private:
  FuseMount make_mount() {
    // One whose device nobody holds any more: it is in the way.
    struct stat status;
    if (stat(directory_.c_str(), &status) != 0 && errno == ENOTCONN)
      umount2(directory_.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
    return mount_fuse(directory_);
  }

  const std::filesystem::path directory_;
  std::optional<FuseMount> mount_;
};

}  // namespace

void keep_mount(const std::filesystem::path& directory, const std::filesystem::path& socket, int stop) {
  Keeper keeper(directory);
  const Fd listening = listen_at(socket);
  for (;;) {
    pollfd waiting[] = {{listening.get(), POLLIN, 0}, {stop, POLLIN, 0}};
    if (poll(waiting, 2, -1) < 0 && errno != EINTR) fail_errno(errno, "waiting for a connection");
    if (waiting[1].revents != 0) return;
    if (waiting[0].revents == 0) continue;
    const Fd connection(accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection) continue;
    try {
      keeper.serve(connection.get());
    } catch (const Error& error) {  // the other side went away
      log::warning("{}", error.what());
    }
  }
}

FuseMount take_mount(const std::filesystem::path& socket) {
  Message answer = ask(socket, take);
  if (!answer.fd) fail(ErrorKind::internal, "flox-lazy-keeper answers without a device");
  return {std::move(answer.fd), to_terms(answer.text)};
}

void give_mount(const std::filesystem::path& socket, const FuseMount& mount) {
  ask(socket, std::string(keep) + to_text(mount.terms), mount.device.get());
}

}  // namespace flox::lazy
