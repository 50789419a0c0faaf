#include "base/confined/confined_frame.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "base/foreign_error.h"

namespace flox::confined {
namespace {

constexpr size_t head_size = 9;            // length, kind, number
constexpr size_t first_piece = 64 * 1024;  // bytes: memory grows as they arrive, not as they are announced
constexpr size_t read_ahead = 16 * 1024;   // bytes

void put(std::string& to, uint32_t number) {
  for (int i = 0; i < 4; ++i) to += static_cast<char>(number >> (8 * i) & 0xff);
}
uint32_t take(const char* from) {
  uint32_t number = 0;
  for (int i = 3; i >= 0; --i) number = number << 8 | static_cast<unsigned char>(from[i]);
  return number;
}

}  // namespace

void Socket::send(Kind kind, uint32_t number, std::string_view text,
                  std::optional<std::chrono::steady_clock::time_point> deadline) {
  std::string frame;
  frame.reserve(head_size + text.size());
  put(frame, static_cast<uint32_t>(text.size() + head_size - 4));
  frame += static_cast<char>(kind);
  put(frame, number);
  frame += text;
  const std::lock_guard lock(writing_);
  std::string_view left = frame;
  while (!left.empty()) {
    const ssize_t sent =
        ::send(fd_.get(), left.data(), left.size(), MSG_NOSIGNAL | (deadline ? MSG_DONTWAIT : 0));
    // Who does not read would make us wait for ever.
    if (sent < 0 && errno == EAGAIN && deadline) wait_for(POLLOUT, deadline);
    if (sent < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (sent < 0) fail_errno(errno, "writing to the other process");
    left.remove_prefix(static_cast<size_t>(sent));
  }
}

std::optional<Frame> Socket::receive(size_t limit,
                                     std::optional<std::chrono::steady_clock::time_point> deadline) {
  char head[head_size];
  if (!read_exactly(head, sizeof head, deadline)) return std::nullopt;
  const uint32_t length = take(head);
  const auto kind = static_cast<uint8_t>(head[4]);
  if (length < head_size - 4 || length > limit || kind < 1 || kind > static_cast<uint8_t>(Kind::failed))
    fail(ErrorKind::invalid_input, "a message of {} bytes and kind {} cannot be", length, kind);
  Frame frame{.kind = static_cast<Kind>(kind), .number = take(head + 5), .text = {}};
  for (size_t left = length - (head_size - 4); left > 0;) {
    const size_t start = frame.text.size();
    const size_t piece = std::min(left, std::max(first_piece, start));
    frame.text.resize(start + piece);
    if (!read_exactly(frame.text.data() + start, piece, deadline)) return std::nullopt;
    left -= piece;
  }
  return frame;
}

void Socket::wait_for(short events, const Deadline& deadline) const {
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(*deadline - std::chrono::steady_clock::now());
    // Looked at first: the other end may always have something to say.
    if (left.count() <= 0) fail(ErrorKind::unavailable, "it did not end in the time that it was given");
    pollfd entry{fd_.get(), events, 0};
    if (::poll(&entry, 1, static_cast<int>(std::min<int64_t>(left.count(), 1'000'000))) > 0) return;
  }
}

size_t Socket::read_some(char* to, size_t size, const Deadline& deadline) {
  // A worker that always has something to say does not keep us beyond the deadline.
  if (deadline && std::chrono::steady_clock::now() >= *deadline) wait_for(POLLIN, deadline);
  for (;;) {
    const ssize_t got = ::recv(fd_.get(), to, size, deadline ? MSG_DONTWAIT : 0);
    if (got >= 0) return static_cast<size_t>(got);
    if (errno == ECONNRESET) return 0;
    if (errno == EAGAIN && deadline) wait_for(POLLIN, deadline);
    if (errno != EINTR && errno != EAGAIN) fail_errno(errno, "reading from the other process");
  }
}

bool Socket::read_exactly(char* to, size_t size, const Deadline& deadline) {
  for (;;) {
    const size_t ready = std::min(size, arrived_.size() - taken_);
    std::memcpy(to, arrived_.data() + taken_, ready);
    taken_ += ready;
    to += ready;
    size -= ready;
    if (size == 0) return true;
    if (size >= read_ahead) {
      const size_t got = read_some(to, size, deadline);
      if (got == 0) return false;
      to += got;
      size -= got;
    } else {
      arrived_.resize(read_ahead);
      arrived_.resize(read_some(arrived_.data(), read_ahead, deadline));
      taken_ = 0;
      if (arrived_.empty()) return false;
    }
  }
}

void Socket::shut_down() noexcept { ::shutdown(fd_.get(), SHUT_RDWR); }

Error error_of_job(const std::exception& exception) {
  // Of its sandbox's memory, not of the machine's.
  if (dynamic_cast<const std::bad_alloc*>(&exception) != nullptr)
    return {ErrorKind::unavailable, "it needs more memory than it is allowed"};
  return to_error(exception);
}

std::string pack(const Error& error) {
  std::string text(1, static_cast<char>(error.kind()));
  const std::string_view message = error.what();
  put(text, static_cast<uint32_t>(message.size()));
  return text.append(message).append(error.advice());
}

Error unpack_error(std::string_view text) {
  constexpr size_t longest = 64 * 1024;  // bytes; errors go to logs and to people
  const auto kind = text.empty() ? 0xff : static_cast<unsigned char>(text[0]);
  const size_t size = text.size() < 5 ? 0 : take(text.data() + 1);
  if (kind > static_cast<unsigned char>(ErrorKind::internal) || text.size() < 5 || size > text.size() - 5)
    return {ErrorKind::internal, "the other process failed without a reason that can be read"};
  text.remove_prefix(5);
  auto printable = [](std::string_view part) {
    std::string result(part.substr(0, longest));
    for (char& c : result)
      if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') c = '?';
    return result;
  };
  return {static_cast<ErrorKind>(kind), printable(text.substr(0, size)), printable(text.substr(size))};
}

}  // namespace flox::confined
