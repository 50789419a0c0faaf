// Reads frames from a socket for coroutines, several with one system call.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <functional>
#include <string>
#include <string_view>

#include "ttrpc/frame.h"

namespace flox::ttrpc {

// One coroutine at a time. The socket must outlive it. Its memory is at most twice what has arrived of a
// frame, whatever the header announces. What returns false has found the connection's end, be it within a
// frame.
class FrameReader {
 public:
  explicit FrameReader(boost::asio::local::stream_protocol::socket& socket) : socket_(socket) {}

  // The next frame. Of one that is larger than max_payload, only the header: its payload is read and dropped.
  boost::asio::awaitable<bool> next(FrameHeader& header, std::string& payload);

  // The same in steps. Waits until something of the next frame is there.
  boost::asio::awaitable<bool> wait() { return fill(1); }
  boost::asio::awaitable<bool> header(FrameHeader& header);
  // `grow` is told how many bytes more have arrived; if it answers false, the payload is dropped and what is
  // still to come of it skipped: `refused` is then set.
  using Grow = std::function<bool(size_t)>;
  boost::asio::awaitable<bool> payload(size_t length, const Grow& grow, std::string& payload, bool& refused);
  boost::asio::awaitable<bool> skip(size_t length);

  // Forgets what was read ahead, for a socket that was connected anew.
  void reset() { buffer_.clear(); }

 private:
  // Reads until `size` bytes are there.
  boost::asio::awaitable<bool> fill(size_t size);
  // One read, for a buffer that is to hold `size` bytes.
  boost::asio::awaitable<bool> read_more(size_t size);

  boost::asio::local::stream_protocol::socket& socket_;
  std::string buffer_;  // read, but not yet given out
};

}  // namespace flox::ttrpc
