#include "base/net/server/http_server.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <csignal>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "base/net/server/http_session.h"

namespace flox {
namespace {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;
using tcp = asio::ip::tcp;
using Clock = std::chrono::steady_clock;

constexpr auto sweep_interval = std::chrono::milliseconds(500);
constexpr int accepted_at_once = 64;
constexpr auto first_pause = std::chrono::milliseconds(20);
constexpr auto longest_pause = std::chrono::milliseconds(1000);

// No more connections than half of the descriptors that the process may have: answers need files, too.
size_t possible_connections(size_t wanted) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return wanted;
  return std::max<size_t>(1, std::min<size_t>(wanted, limit.rlim_cur / 2));
}

// An IPv4 client is one at a socket for IPv6, too.
asio::ip::address unmapped(const asio::ip::address& address) {
  if (address.is_v4() || !address.to_v6().is_v4_mapped()) return address;
  return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
}

// What this machine calls a zone, the client does not know.
std::string text_of(const tcp::endpoint& endpoint) {
  const auto address = unmapped(endpoint.address());
  if (address.is_v4()) return fmt::format("{}:{}", address.to_string(), endpoint.port());
  auto v6 = address.to_v6();
  v6.scope_id(0);
  return fmt::format("[{}]:{}", v6.to_string(), endpoint.port());
}

}  // namespace

std::string peer_name(const asio::ip::address& address) {
  const auto client = unmapped(address);
  if (client.is_v4()) return client.to_string();
  const auto bytes = client.to_v6().to_bytes();
  return {reinterpret_cast<const char*>(bytes.data()), 8};
}

struct HttpServer::State {
  State(HttpServerOptions options, Handler handler)
      : service(std::move(options), std::move(handler)),
        most(possible_connections(service.options.max_connections)),
        most_per_peer(service.options.max_connections_per_peer == 0
                          ? most
                          : std::min(most, service.options.max_connections_per_peer)) {
    service.on_room = [this] {
      accept();
      if (service.is_ending && service.connections.count() == 0) {
        const std::lock_guard lock(mutex);
        gone.notify_all();
      }
    };
  }

  HttpService service;
  size_t most, most_per_peer;
  tcp::acceptor acceptor{service.io};
  asio::steady_timer sweep_timer{service.io};
  asio::steady_timer pause_timer{service.io};
  std::chrono::milliseconds pause = first_pause;
  Clock::time_point complained{};
  bool is_accepting = false;
  bool is_pausing = false;
  uint16_t port = 0;
  std::thread thread;

  void listen();
  void accept();
  void accept_some();
  bool can_have_room() const;
  void accepted(tcp::socket socket);
  void cannot_accept(ErrorCode error);
  bool make_room(HttpSession* session);
  void sweep();
  void stop_listening();
  void end_idle();

  std::mutex mutex;
  std::condition_variable gone;  // the last connection, after stop_listening()
};

void HttpServer::State::listen() {
  auto& wanted = service.options;
  try {
    if (wanted.listening) {
      const auto family = asio::ip::make_address(wanted.address).is_v4() ? tcp::v4() : tcp::v6();
      acceptor.assign(family, wanted.listening->release());
      acceptor.non_blocking(true);
      port = acceptor.local_endpoint().port();
      return;
    }
    const tcp::endpoint endpoint(asio::ip::make_address(wanted.address), wanted.port);
    acceptor.open(endpoint.protocol());
    acceptor.set_option(tcp::acceptor::reuse_address(true));
    acceptor.bind(endpoint);
    acceptor.listen();
    acceptor.non_blocking(true);
    port = acceptor.local_endpoint().port();
  } catch (const boost::system::system_error& error) {
    throw Error(
        ErrorKind::unavailable,
        fmt::format("listening on {}:{}: {}", wanted.address, wanted.port, error.code().message()),
        error.code() == boost::asio::error::address_in_use
            ? fmt::format("Stop what listens there ('ss -ltnp sport = :{}' shows it), or choose another "
                          "address.",
                          wanted.port)
            : "Choose an address of this machine, and a port that this user may use.");
  }
}

// Paused while every connection that there may be is being answered.
void HttpServer::State::accept() {
  if (is_accepting || is_pausing || !acceptor.is_open() || !can_have_room()) return;
  is_accepting = true;
  acceptor.async_wait(tcp::acceptor::wait_read, [this](ErrorCode error) {
    is_accepting = false;
    if (error == asio::error::operation_aborted || !acceptor.is_open()) return;
    if (error) return cannot_accept(error);
    accept_some();
  });
}

// Several at once: with one a turn, thousands that came before would keep the next waiting for thousands of
// turns.
void HttpServer::State::accept_some() {
  for (int i = 0; i < accepted_at_once && can_have_room(); ++i) {
    ErrorCode error;
    tcp::socket socket(service.io);
    acceptor.accept(socket, error);
    if (error == asio::error::would_block) break;
    if (error == asio::error::connection_aborted) continue;
    if (error) return cannot_accept(error);
    pause = first_pause;
    // Only now that there is a next one.
    if (service.connections.count() >= most) make_room(service.connections.longest_waiting());
    accepted(std::move(socket));
  }
  accept();
}

bool HttpServer::State::can_have_room() const {
  return service.connections.count() < most || service.connections.longest_waiting() != nullptr;
}

// The session ends once its operations have.
bool HttpServer::State::make_room(HttpSession* session) {
  if (session == nullptr) return false;
  ++service.counters.evicted_total;
  session->close();
  return true;
}

void HttpServer::State::accepted(tcp::socket socket) {
  ErrorCode error;
  const auto remote = socket.remote_endpoint(error);
  if (error) return;  // it has gone already
  const auto local = socket.local_endpoint(error);
  if (error) return;
  socket.set_option(tcp::no_delay(true), error);
  ++service.counters.connections_total;
  const auto peer = service.connections.peer(peer_name(remote.address()));
  if (peer->second.count >= most_per_peer && !make_room(service.connections.longest_waiting(peer->second)))
    return;
  auto transport = service.options.transport ? service.options.transport->make(std::move(socket))
                                             : make_plain_transport(std::move(socket));
  std::make_shared<HttpSession>(service, std::move(transport), peer, remote.address().to_string(),
                                text_of(local))
      ->start();
}

// Mostly too few descriptors: one is freed by who waits longest, and a pause lets it be so.
void HttpServer::State::cannot_accept(ErrorCode error) {
  ++service.counters.accept_failures_total;
  if (const auto now = Clock::now(); now - complained > std::chrono::minutes(1)) {
    complained = now;
    log::warning("accepting a connection: {}; {} are open", error.message(), service.connections.count());
  }
  make_room(service.connections.longest_waiting());
  is_pausing = true;
  pause_timer.expires_after(pause);
  pause = std::min(2 * pause, longest_pause);
  pause_timer.async_wait([this](ErrorCode cancelled) {
    if (cancelled) return;
    is_pausing = false;
    accept();
  });
}

void HttpServer::State::sweep() {
  sweep_timer.expires_after(sweep_interval);
  sweep_timer.async_wait([this](ErrorCode cancelled) {
    if (cancelled) return;
    std::vector<HttpSession*> late;
    const auto now = Clock::now();
    service.connections.for_each_waiting([&](HttpSession* session) {
      if (session->is_late(now)) late.push_back(session);
    });
    for (HttpSession* session : late) {
      ++service.counters.timed_out_total;
      session->close();
    }
    if (service.is_ending) end_idle();
    sweep();
  });
}

// Those that have connected already are taken in: closing the listening socket would reset them, unless the
// service manager keeps it for the next program.
void HttpServer::State::stop_listening() {
  service.is_draining = true;
  if (!service.is_ending) {
    service.is_ending = true;
    ErrorCode ignored;
    while (!service.options.listening && acceptor.is_open() && can_have_room()) {
      ErrorCode error;
      tcp::socket socket(service.io);
      acceptor.accept(socket, error);
      if (error) break;
      accepted(std::move(socket));
    }
    acceptor.close(ignored);
  }
  end_idle();
}

void HttpServer::State::end_idle() {
  std::vector<HttpSession*> open;
  service.connections.for_each_waiting([&](HttpSession* session) { open.push_back(session); });
  for (HttpSession* session : open) session->server_ends();
}

HttpServer::HttpServer(HttpServerOptions options, Handler handler)
    : state_(std::make_unique<State>(std::move(options), std::move(handler))) {
  state_->listen();
  state_->accept();
  state_->sweep();
  // What one connection throws (no memory, mostly) ends with that connection.
  state_->thread = std::thread([&io = state_->service.io] {
    // sendfile(2) to a peer that has gone raises it, and has no flag against that.
    sigset_t pipe;
    ::sigemptyset(&pipe);
    ::sigaddset(&pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    while (!io.stopped()) try {
        io.run();
      } catch (const std::exception& error) {
        log::error("a connection failed: {}", message_of(error));
      }
  });
}

HttpServer::~HttpServer() {
  if (!state_->thread.joinable()) return;
  auto& service = state_->service;
  // In the thread for bytes, which alone knows the connections. Those that are being answered end with their
  // pools.
  asio::post(service.io, [state = state_.get()] {
    ErrorCode ignored;
    state->acceptor.close(ignored);
    state->service.is_stopping = true;
    std::vector<HttpSession*> open;
    state->service.connections.for_each_waiting([&](HttpSession* session) { open.push_back(session); });
    for (HttpSession* session : open) session->close();
    state->service.io.stop();
  });
  state_->thread.join();
  for (auto* pool : {&service.handlers, &service.upload_threads, &service.stream_threads})
    if (*pool) {
      (*pool)->stop();
      (*pool)->join();
    }
  service.late->close();
  service.answered_later.clear();
}

void HttpServer::begin_drain() {
  asio::post(state_->service.io, [state = state_.get()] { state->service.is_draining = true; });
}

size_t HttpServer::drain(std::chrono::milliseconds patience) {
  const auto end = Clock::now() + patience;
  // Counted after stop_listening() has run: a connection that it takes in counts.
  std::promise<void> listens_no_more;
  asio::post(state_->service.io, [&] {
    state_->stop_listening();
    listens_no_more.set_value();
  });
  listens_no_more.get_future().wait();
  const auto& open = state_->service.counters.connections;
  std::unique_lock lock(state_->mutex);
  state_->gone.wait_until(lock, end, [&] { return open == 0; });
  return open;
}

uint16_t HttpServer::port() const noexcept { return state_->port; }
const HttpServerCounters& HttpServer::counters() const noexcept { return state_->service.counters; }

}  // namespace flox
