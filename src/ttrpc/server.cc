#include "ttrpc/server.h"

#include <google/protobuf/stubs/common.h>
#include <google/protobuf/stubs/logging.h>
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
#include <cerrno>
#include <mutex>
#include <vector>

#include "base/error.h"
#include "ttrpc/connection.h"

namespace flox::ttrpc {

namespace asio = boost::asio;
using boost::system::error_code;
using Protocol = asio::local::stream_protocol;

struct Server::State : std::enable_shared_from_this<Server::State> {
  State(const asio::any_io_executor& on, Fd listening, ServerOptions server_options)
      : executor(on),
        acceptor(asio::make_strand(on), Protocol(), listening.release()),
        options(std::move(server_options)),
        ledger(std::make_shared<Ledger>(options.limits, options.refused)) {}
  State(const asio::any_io_executor& on, ServerOptions server_options)
      : executor(on),
        acceptor(asio::make_strand(on)),
        options(std::move(server_options)),
        ledger(std::make_shared<Ledger>(options.limits, options.refused)) {}

  asio::awaitable<void> accept() {
    auto self = shared_from_this();
    while (acceptor.is_open()) {
      error_code error;
      co_await acceptor.async_wait(Protocol::acceptor::wait_read,
                                   asio::redirect_error(asio::use_awaitable, error));
      if (error || !acceptor.is_open()) break;
      // Asio's own accept would leave the socket open across exec, for containers to inherit.
      Fd accepted(::accept4(acceptor.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (accepted) {
        serve(std::move(accepted));
      } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
        // Out of descriptors, most likely: give others time to return some.
        asio::steady_timer pause(acceptor.get_executor(), std::chrono::milliseconds(100));
        co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
      }
    }
  }

  void serve(Fd accepted) {
    const Peer peer = peer_of(accepted.get());
    if (options.same_user_only && (peer.uid != ::geteuid() || peer.gid != ::getegid()))
      return ledger->refused(Refusal::identity);
    Caller caller;
    try {
      if (options.identify) caller = options.identify(PeerProcess(accepted.get()));
    } catch (const std::exception& error) {
      return refuse(accepted.get(), Refusal::identity, status_of(error));
    }
    Charge charge(ledger, caller.name);
    if (!charge.connection())
      return refuse(
          accepted.get(), Refusal::connections,
          {Code::resource_exhausted, "too many connections at once: close some, or try again later"});
    Protocol::socket socket(asio::make_strand(executor), Protocol(), accepted.get());
    [[maybe_unused]] int owned = accepted.release();
    auto connection = std::make_shared<Connection>(std::move(socket), peer, std::move(caller), handlers,
                                                   ledger, std::move(charge));
    std::lock_guard lock(mutex);
    std::erase_if(connections, [](const auto& known) { return known.expired(); });
    connections.push_back(connection);
    connection->start();
  }

  // As the answer to the client's first request, which every client of ttrpc numbers 1; nothing of it is
  // read. The socket is new, so its buffer has room.
  void refuse(int socket, Refusal reason, const Status& status) const {
    ledger->refused(reason);
    const std::string frame = encode_refusal(1, status);
    [[maybe_unused]] const ssize_t sent =
        ::send(socket, frame.data(), frame.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
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

  asio::any_io_executor executor;
  Protocol::acceptor acceptor;
  const ServerOptions options;
  const std::shared_ptr<Ledger> ledger;
  std::shared_ptr<Handlers> handlers = std::make_shared<Handlers>();
  std::mutex mutex;
  std::vector<std::weak_ptr<Connection>> connections;
};

namespace {

// Protobuf writes a line to stderr for each text that is not UTF-8: clients could fill the log with them.
// They are told in the answer.
void silence_protobuf() {
  static const auto before = google::protobuf::SetLogHandler(nullptr);
  static_cast<void>(before);
}

}  // namespace

Server::Server(asio::any_io_executor executor, Fd listening, ServerOptions options)
    : state_(std::make_shared<State>(executor, std::move(listening), std::move(options))) {
  asio::co_spawn(
      state_->acceptor.get_executor(), [state = state_] { return state->accept(); }, asio::detached);
  silence_protobuf();
}

Server::Server(asio::any_io_executor executor, ServerOptions options)
    : state_(std::make_shared<State>(executor, std::move(options))) {
  silence_protobuf();
}

Server::~Server() { state_->close(); }

void Server::serve(Fd connected) { state_->serve(std::move(connected)); }

void Server::handle(const std::string& service, const std::string& method, Handler handler) {
  (*state_->handlers)[service][method] = std::move(handler);
}

size_t Server::connections() const { return state_->ledger->connections(); }

void Server::close() { state_->close(); }

}  // namespace flox::ttrpc
