#include "ttrpc/server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <deque>
#include <map>
#include <mutex>
#include <set>

#include "ttrpc/frame.h"
#include "ttrpc/frame_reader.h"
#include "ttrpc/ttrpc.pb.h"

namespace flox::ttrpc {

namespace asio = boost::asio;
using boost::system::error_code;
using Protocol = asio::local::stream_protocol;

namespace {

using Handlers = std::map<std::string, std::map<std::string, Handler>>;

// One client. All members are used on the socket's strand only.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Protocol::socket socket, Peer peer, std::shared_ptr<const Handlers> handlers)
      : socket_(std::move(socket)), peer_(peer), handlers_(std::move(handlers)) {}

  void start() {
    asio::co_spawn(
        socket_.get_executor(), [self = shared_from_this()] { return self->read_frames(); }, asio::detached);
  }
  void close() {
    asio::post(socket_.get_executor(), [self = shared_from_this()] {
      error_code ignored;
      self->socket_.close(ignored);
    });
  }

 private:
  asio::awaitable<void> read_frames() {
    auto self = shared_from_this();
    FrameReader frames(socket_);
    FrameHeader header;
    std::string payload;
    for (;;) {
      const bool got = co_await frames.next(header, payload);
      if (!got) break;
      if (header.type != type_request) continue;  // data and unknown types are ignored
      if (header.length > max_payload)
        answer(header.stream, Code::resource_exhausted,
               fmt::format("message of {} bytes is over the limit of {}", header.length, max_payload));
      else
        accept_request(header, payload);
    }
    error_code ignored;
    socket_.close(ignored);
  }

  void accept_request(const FrameHeader& header, const std::string& payload) {
    if (header.stream % 2 == 0 || header.stream <= last_stream_)
      return answer(header.stream, Code::invalid_argument,
                    fmt::format("stream {} is not an odd number above {}", header.stream, last_stream_));
    last_stream_ = header.stream;
    wire::Request envelope;
    if (!envelope.ParseFromString(payload))
      return answer(header.stream, Code::invalid_argument, "malformed request");
    if ((header.flags & flag_remote_open) != 0)
      return answer(header.stream, Code::unimplemented, "streaming calls are not supported");
    auto service = handlers_->find(envelope.service());
    if (service == handlers_->end())
      return answer(header.stream, Code::unimplemented, "service " + envelope.service());
    auto method = service->second.find(envelope.method());
    if (method == service->second.end())
      return answer(header.stream, Code::unimplemented, "method " + envelope.method());
    Request request{std::move(*envelope.mutable_payload()), peer_,
                    std::chrono::nanoseconds(envelope.timeout_nano())};
    asio::co_spawn(socket_.get_executor(), run(method->second, std::move(request), header.stream),
                   asio::detached);
  }

  asio::awaitable<void> run(const Handler& handler, Request request, uint32_t stream) {
    auto self = shared_from_this();
    Status status;
    std::string result;
    try {
      result = co_await handler(std::move(request));
    } catch (const std::exception& error) {
      status = status_of(error);
    }
    if (status.code != Code::ok)
      answer(stream, status.code, status.message);
    else
      send_answer(stream, Status{}, std::move(result));
  }

  void answer(uint32_t stream, Code code, const std::string& message) {
    send_answer(stream, {code, message}, {});
  }

  void send_answer(uint32_t stream, const Status& status, std::string payload) {
    wire::Response response;
    response.mutable_status()->set_code(static_cast<int>(status.code));
    response.mutable_status()->set_message(status.message);
    response.set_payload(std::move(payload));
    std::string bytes = response.SerializeAsString();
    if (bytes.size() > max_payload)
      return answer(stream, Code::resource_exhausted,
                    fmt::format("answer of {} bytes is over the limit of {}", bytes.size(), max_payload));
    outgoing_.push_back(encode_frame(stream, type_response, bytes));
    if (outgoing_.size() > 1) return;  // the writer is at work
    asio::co_spawn(
        socket_.get_executor(), [self = shared_from_this()] { return self->write_frames(); }, asio::detached);
  }

  asio::awaitable<void> write_frames() {
    auto self = shared_from_this();
    error_code error;
    while (!outgoing_.empty() && !error) {
      co_await asio::async_write(socket_, asio::buffer(outgoing_.front()),
                                 asio::redirect_error(asio::use_awaitable, error));
      outgoing_.pop_front();
    }
    if (error) outgoing_.clear();  // the client is gone; read_frames sees it too
  }

  Protocol::socket socket_;
  Peer peer_;
  std::shared_ptr<const Handlers> handlers_;
  uint32_t last_stream_ = 0;
  std::deque<std::string> outgoing_;
};

}  // namespace

struct Server::State : std::enable_shared_from_this<Server::State> {
  State(const asio::any_io_executor& executor, Fd listening, ServerOptions server_options)
      : acceptor(asio::make_strand(executor), Protocol(), listening.release()), options(server_options) {}

  asio::awaitable<void> accept() {
    auto self = shared_from_this();
    auto executor = co_await asio::this_coro::executor;
    while (acceptor.is_open()) {
      error_code error;
      co_await acceptor.async_wait(Protocol::acceptor::wait_read,
                                   asio::redirect_error(asio::use_awaitable, error));
      if (error || !acceptor.is_open()) break;
      // Asio's own accept would leave the socket open across exec, for containers to inherit.
      Fd accepted(::accept4(acceptor.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (accepted) {
        Protocol::socket socket(asio::make_strand(executor), Protocol(), accepted.get());
        [[maybe_unused]] int owned = accepted.release();
        serve(std::move(socket));
      } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
        // Out of descriptors, most likely: give others time to return some.
        asio::steady_timer pause(executor, std::chrono::milliseconds(100));
        co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
      }
    }
  }

  void serve(Protocol::socket socket) {
    Peer peer = peer_of(socket.native_handle());
    if (options.same_user_only && (peer.uid != ::geteuid() || peer.gid != ::getegid())) return;
    auto connection = std::make_shared<Connection>(std::move(socket), peer, handlers);
    std::lock_guard lock(mutex);
    std::erase_if(connections, [](const auto& known) { return known.expired(); });
    connections.push_back(connection);
    connection->start();
  }

  void close() {
    asio::post(acceptor.get_executor(), [self = shared_from_this()] {
      error_code ignored;
      self->acceptor.close(ignored);
    });
    std::lock_guard lock(mutex);
    for (auto& known : connections)
      if (auto connection = known.lock()) connection->close();
  }

  Protocol::acceptor acceptor;
  ServerOptions options;
  std::shared_ptr<Handlers> handlers = std::make_shared<Handlers>();
  std::mutex mutex;
  std::vector<std::weak_ptr<Connection>> connections;
};

Server::Server(asio::any_io_executor executor, Fd listening, ServerOptions options)
    : state_(std::make_shared<State>(executor, std::move(listening), options)) {
  asio::co_spawn(
      state_->acceptor.get_executor(), [state = state_] { return state->accept(); }, asio::detached);
}

Server::~Server() { state_->close(); }

void Server::handle(const std::string& service, const std::string& method, Handler handler) {
  (*state_->handlers)[service][method] = std::move(handler);
}

void Server::close() { state_->close(); }

}  // namespace flox::ttrpc
