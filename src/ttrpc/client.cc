#include "ttrpc/client.h"

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "base/error.h"
#include "ttrpc/envelope.h"
#include "ttrpc/frame.h"
#include "ttrpc/frame_reader.h"
#include "ttrpc/socket.h"

namespace flox::ttrpc {

namespace asio = boost::asio;

struct Client::State : std::enable_shared_from_this<Client::State> {
  State(asio::any_io_executor executor, std::string socket_path)
      : path(std::move(socket_path)), socket(executor), timer(executor) {}

  void close() {
    boost::system::error_code ignored;
    socket.close(ignored);
  }

  // A connect(2) to a Unix socket does not wait unless the backlog is full.
  void connect() {
    if (socket.is_open()) return;
    socket.assign(asio::local::stream_protocol(), connect_to(path).release());
    frames.reset();
    next_stream = 1;
  }

  asio::awaitable<std::string> exchange(std::string request, uint32_t stream) {
    co_await asio::async_write(socket, asio::buffer(request), asio::use_awaitable);
    FrameHeader header;
    std::string payload;
    for (;;) {
      const bool got = co_await frames.next(header, payload);
      if (!got) throw boost::system::system_error(asio::error::eof);
      if (header.length > max_payload)
        fail(ErrorKind::unavailable, "{} sent a frame of {} bytes", path, header.length);
      if (header.type == type_response && header.stream == stream) co_return payload;
    }
  }

  std::string path;
  asio::local::stream_protocol::socket socket;
  FrameReader frames{socket};
  asio::steady_timer timer;
  uint32_t next_stream = 1;
};

Client::Client(asio::any_io_executor executor, std::string socket_path)
    : state_(std::make_shared<State>(std::move(executor), std::move(socket_path))) {}
Client::~Client() { state_->close(); }

asio::awaitable<std::string> Client::call(std::string service, std::string method, std::string payload,
                                          std::chrono::milliseconds timeout, std::string traceparent) {
  auto state = state_;
  state->connect();
  uint32_t stream = state->next_stream;
  state->next_stream += 2;
  std::string request = encode_request(stream, service, method, payload, timeout, traceparent);
  auto timed_out = std::make_shared<bool>(false);
  if (timeout.count() > 0) {
    state->timer.expires_after(timeout);
    state->timer.async_wait([state, timed_out](boost::system::error_code error) {
      if (error) return;
      *timed_out = true;
      state->close();
    });
  }
  std::string frame;
  try {
    frame = co_await state->exchange(std::move(request), stream);
  } catch (const boost::system::system_error& error) {
    state->timer.cancel();
    state->close();
    if (*timed_out) fail(ErrorKind::unavailable, "{} did not answer in time", state->path);
    throw ConnectionError(fmt::format("talking to {}: {}", state->path, error.code().message()), true);
  } catch (const Error&) {
    state->timer.cancel();
    state->close();
    throw;
  }
  state->timer.cancel();
  co_return decode_response(frame);
}

}  // namespace flox::ttrpc
