// Reads frames from a socket for coroutines, several with one system call.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <string>
#include <string_view>

#include "ttrpc/frame.h"

namespace flox::ttrpc {

// One coroutine at a time. The socket must outlive it.
class FrameReader {
 public:
  explicit FrameReader(boost::asio::local::stream_protocol::socket& socket) : socket_(socket) {}

  // The next frame. Of one that is larger than max_payload, only the header: its payload is read and dropped.
  // False when the connection has ended, be it within a frame.
  boost::asio::awaitable<bool> next(FrameHeader& header, std::string& payload);

  // Forgets what was read ahead, for a socket that was connected anew.
  void reset() { buffer_.clear(); }

 private:
  // Reads until `size` bytes are there. False at the end of the connection.
  boost::asio::awaitable<bool> fill(size_t size);

  boost::asio::local::stream_protocol::socket& socket_;
  std::string buffer_;  // read, but not yet given out
};

}  // namespace flox::ttrpc
