#include "ttrpc/blocking_client.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "ttrpc/envelope.h"
#include "ttrpc/frame.h"
#include "ttrpc/socket.h"
#include "ttrpc/status.h"

namespace flox::ttrpc {
namespace {

using Clock = std::chrono::steady_clock;
using Deadline = std::optional<Clock::time_point>;

void wait_ready(int fd, short events, const Deadline& deadline, const std::string& path) {
  for (;;) {
    int milliseconds = -1;
    if (deadline) {
      auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now()).count();
      if (left <= 0) fail(ErrorKind::unavailable, "{} did not answer in time", path);
      milliseconds = static_cast<int>(std::min<long>(left, 1'000'000));
    }
    pollfd entry{fd, events, 0};
    int ready = ::poll(&entry, 1, milliseconds);
    if (ready > 0) return;
    if (ready < 0 && errno != EINTR) fail_errno(errno, "waiting for {}", path);
  }
}

void send_all(int fd, std::string_view data, const Deadline& deadline, const std::string& path) {
  while (!data.empty()) {
    wait_ready(fd, POLLOUT, deadline, path);
    ssize_t sent = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0)
      data.remove_prefix(static_cast<size_t>(sent));
    else if (errno != EAGAIN && errno != EINTR)
      fail(ErrorKind::unavailable, "sending to {}: {}", path, std::strerror(errno));
  }
}

bool is_readable(int fd) {
  char byte = 0;
  return ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void receive_exactly(int fd, char* buffer, size_t size, const Deadline& deadline, const std::string& path) {
  while (size > 0) {
    wait_ready(fd, POLLIN, deadline, path);
    ssize_t got = ::recv(fd, buffer, size, MSG_DONTWAIT);
    if (got == 0) fail(ErrorKind::unavailable, "{} closed the connection", path);
    if (got < 0) {
      if (errno == EAGAIN || errno == EINTR) continue;
      fail(ErrorKind::unavailable, "receiving from {}: {}", path, std::strerror(errno));
    }
    buffer += got;
    size -= static_cast<size_t>(got);
  }
}

}  // namespace

BlockingClient::BlockingClient(std::string socket_path)
    : path_(std::move(socket_path)), socket_(connect_to(path_)) {}

std::string BlockingClient::call(std::string_view service, std::string_view method, std::string_view payload,
                                 std::chrono::milliseconds timeout) {
  Deadline deadline;
  if (timeout.count() > 0) deadline = Clock::now() + timeout;
  uint32_t stream = next_stream_;
  next_stream_ += 2;
  std::optional<Error> cut_off;
  try {
    send_all(socket_.get(), encode_request(stream, service, method, payload, timeout), deadline, path_);
  } catch (const Error& error) {
    cut_off = error;  // a server that refuses us says why before it closes the connection
  }
  for (;;) {
    if (cut_off && !is_readable(socket_.get())) throw Error(*cut_off);
    std::array<char, header_size> bytes;
    receive_exactly(socket_.get(), bytes.data(), bytes.size(), deadline, path_);
    FrameHeader header = decode_header(bytes.data());
    if (header.length > max_payload)
      fail(ErrorKind::internal, "{} sent a frame of {} bytes", path_, header.length);
    std::string frame(header.length, '\0');
    receive_exactly(socket_.get(), frame.data(), frame.size(), deadline, path_);
    if (header.type == type_response && header.stream == stream) return decode_response(frame);
  }
}

}  // namespace flox::ttrpc
