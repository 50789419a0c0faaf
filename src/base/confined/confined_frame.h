// The frames between a confined worker and who started it. Internal to confined.cc and confined_service.cc.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/os/fd.h"

namespace flox::confined {

enum class Kind : uint8_t { start = 1, call, answer, refusal, note, done, failed };

struct Frame {
  Kind kind{};
  uint32_t number = 0;
  std::string text;
};

inline constexpr size_t frame_limit = 8 << 20;     // bytes, of what a worker sends
inline constexpr size_t answer_limit = 256 << 20;  // bytes, of what it is sent

// One end. Writing is thread-safe; one thread reads at a time.
class Socket {
 public:
  explicit Socket(Fd fd) : fd_(std::move(fd)) {}
  // Throws Error: unavailable if the other end has not read it by `deadline`, whole.
  void send(Kind kind, uint32_t number, std::string_view text,
            std::optional<std::chrono::steady_clock::time_point> deadline = {});
  // Waits until `deadline`. Nothing at the other end's end. Throws Error: unavailable after the deadline,
  // invalid_input for a frame over `limit` or of no kind.
  std::optional<Frame> receive(size_t limit,
                               std::optional<std::chrono::steady_clock::time_point> deadline = {});
  void shut_down() noexcept;
  int fd() const noexcept { return fd_.get(); }

 private:
  using Deadline = std::optional<std::chrono::steady_clock::time_point>;
  bool read_exactly(char* to, size_t size, const Deadline& deadline);
  // What has arrived, at most `size` bytes; waits for it. 0 at the end.
  size_t read_some(char* to, size_t size, const Deadline& deadline);
  // Until poll(2) has one of the events. Throws Error(unavailable).
  void wait_for(short events, const Deadline& deadline) const;
  Fd fd_;
  std::mutex writing_;
  std::string arrived_;  // read ahead: frames are mostly small, and several come at once
  size_t taken_ = 0;     // bytes of it
};

// What an exception that leaves a job says to the starter.
Error error_of_job(const std::exception& exception);
// An error in a frame, and back. What cannot be read is an internal error.
std::string pack(const Error& error);
Error unpack_error(std::string_view text);

}  // namespace flox::confined
