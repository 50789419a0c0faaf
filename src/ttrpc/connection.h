// One client of a Server, from accept to the end. Used by the server only.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "ttrpc/frame_reader.h"
#include "ttrpc/server.h"
#include "ttrpc/status.h"

namespace flox::ttrpc {

using Handlers = std::map<std::string, std::map<std::string, Handler>>;

// All members are used on the socket's strand only.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Socket = boost::asio::local::stream_protocol::socket;
  // `charge` is the connection's place in the ledger.
  Connection(Socket socket, Peer peer, Caller caller, std::shared_ptr<const Handlers> handlers,
             std::shared_ptr<Ledger> ledger, Charge charge);
  void start();
  // Thread-safe.
  void close();

 private:
  using Clock = std::chrono::steady_clock;

  boost::asio::awaitable<void> read_frames();
  // One frame. False at the connection's end.
  boost::asio::awaitable<bool> read_frame(std::string& payload);
  // While the client reads no answers it gets no further ones.
  boost::asio::awaitable<void> wait_for_reader();
  void accept_request(const FrameHeader& header, const std::string& payload, Charge bytes);
  boost::asio::awaitable<void> run(const Handler& handler, Request request, uint32_t stream, Charge bytes);
  void answer(uint32_t stream, Code code, const std::string& message);
  void send_answer(uint32_t stream, const Status& status, std::string payload);
  boost::asio::awaitable<void> write_frames();
  void shut();

  // Closes the connection when a deadline passes.
  boost::asio::awaitable<void> watch();
  void set_deadline(Clock::time_point& which, std::chrono::milliseconds from_now);
  void clear_deadline(Clock::time_point& which) { which = Clock::time_point::max(); }
  void update_idle();

  Socket socket_;
  FrameReader frames_;
  Peer peer_;
  Caller caller_;
  std::shared_ptr<const Handlers> handlers_;
  std::shared_ptr<Ledger> ledger_;
  Charge charge_;
  const std::shared_ptr<std::atomic<bool>> gone_ = std::make_shared<std::atomic<bool>>(false);
  uint32_t last_stream_ = 0;
  size_t calls_ = 0;  // under way
  std::deque<std::string> outgoing_;
  size_t unread_ = 0;                  // bytes of them
  bool waiting_ = false;               // for the first byte of a frame
  boost::asio::steady_timer timer_;    // of watch()
  boost::asio::steady_timer drained_;  // cancelled when answers have been taken
  Clock::time_point read_deadline_ = Clock::time_point::max();
  Clock::time_point write_deadline_ = Clock::time_point::max();
  Clock::time_point idle_deadline_ = Clock::time_point::max();
};

// The frame of an answer without payload.
std::string encode_refusal(uint32_t stream, const Status& status);

}  // namespace flox::ttrpc
