#include "node/nri/nri_connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <exception>

#include "base/error.h"
#include "node/nri/nri.ttrpc.h"
#include "ttrpc/envelope.h"
#include "ttrpc/socket.h"

namespace flox::node {

namespace asio = boost::asio;
using Protocol = asio::local::stream_protocol;

namespace {

std::pair<Fd, Fd> make_socket_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0)
    fail_errno(errno, "making a pair of sockets");
  return {Fd(ends[0]), Fd(ends[1])};
}

Fd connect_to_own_user(const std::string& path) {
  Fd socket = ttrpc::connect_to(path);
  if (const ttrpc::Peer peer = ttrpc::peer_of(socket.get()); peer.uid != ::geteuid())
    throw Error(ErrorKind::untrusted, fmt::format("{} is served by user {}", path, peer.uid),
                "Set nri_socket to the socket of this node's containerd.");
  return socket;
}

}  // namespace

NriConnection::NriConnection(asio::any_io_executor executor, const std::string& socket)
    : path_(socket),
      trunk_(executor),
      server_(executor, ttrpc::ServerOptions{}),
      served_(executor),
      asked_(executor),
      asker_(executor) {
  trunk_.assign(Protocol(), connect_to_own_user(socket).release());
  auto [ours, servers] = make_socket_pair();
  served_.assign(Protocol(), ours.release());
  auto [write_end, read_end] = make_socket_pair();
  asked_.assign(Protocol(), write_end.release());
  asker_.assign(Protocol(), read_end.release());
  server_.serve(std::move(servers));
}

void NriConnection::close() {
  boost::system::error_code ignored;
  for (Socket* socket : {&trunk_, &served_, &asked_, &asker_}) socket->close(ignored);
  server_.close();
}

asio::awaitable<void> NriConnection::read_trunk() {
  Demultiplexer trunk;
  std::array<char, 16 << 10> buffer;
  for (;;) {
    const size_t size = co_await trunk_.async_read_some(asio::buffer(buffer), asio::use_awaitable);
    for (const MuxPart& part : trunk.split({buffer.data(), size}))
      co_await asio::async_write(part.connection == plugin_connection ? served_ : asked_,
                                 asio::buffer(part.bytes), asio::use_awaitable);
  }
}

asio::awaitable<void> NriConnection::write_answers() {
  ttrpc::FrameHeader header;
  std::string payload;
  for (;;) {
    const bool got = co_await answers_.next(header, payload);
    if (!got) co_return;
    const std::string frames =
        to_mux_frames(plugin_connection, ttrpc::encode_frame(header.stream, header.type, payload));
    co_await asio::async_write(trunk_, asio::buffer(frames), asio::use_awaitable);
  }
}

asio::awaitable<void> NriConnection::registered(nri_api::RegisterPluginRequest plugin,
                                                std::chrono::milliseconds within) {
  const auto& method = nri_api::Runtime::RegisterPlugin;
  const std::string request = to_mux_frames(
      runtime_connection,
      ttrpc::encode_request(1, method.service, method.name, plugin.SerializeAsString(), within));
  co_await asio::async_write(trunk_, asio::buffer(request), asio::use_awaitable);
  ttrpc::FrameHeader header;
  std::string payload;
  const bool got = co_await replies_.next(header, payload);
  if (!got) fail(ErrorKind::unavailable, "{} closed the connection", path_);
  ttrpc::decode_response(payload);
}

asio::awaitable<void> NriConnection::run(nri_api::RegisterPluginRequest plugin,
                                         std::chrono::milliseconds within) {
  const auto self = shared_from_this();
  const auto executor = co_await asio::this_coro::executor;
  auto failure = std::make_shared<std::exception_ptr>();
  // The first of the three coroutines that ends in failure closes the sockets, and the others end by that.
  const auto ended = [self, failure](std::exception_ptr error) {
    if (error && !*failure) *failure = error;
    self->close();
  };
  auto is_registered = std::make_shared<bool>(false);
  asio::steady_timer patience(executor, within);
  patience.async_wait([self, failure, is_registered](boost::system::error_code error) {
    if (error || *is_registered) return;
    *failure = std::make_exception_ptr(
        Error(ErrorKind::unavailable, "containerd did not answer the registration in time"));
    self->close();
  });
  asio::co_spawn(executor, registered(std::move(plugin), within), [=](std::exception_ptr error) {
    if (error) return ended(error);
    *is_registered = true;
    // containerd asks only now, and answers are the only thing that is written from here on.
    asio::co_spawn(
        executor, [self] { return self->write_answers(); }, ended);
  });
  try {
    co_await read_trunk();
  } catch (...) {
    ended(std::current_exception());
  }
  patience.cancel();
  try {
    std::rethrow_exception(*failure);
  } catch (const boost::system::system_error& error) {
    fail(ErrorKind::unavailable, "{}: {}", path_, error.code().message());
  }
}

}  // namespace flox::node
