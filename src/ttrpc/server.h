// A ttrpc server on a Unix socket: Asio coroutines, unary calls.
#pragma once

#include <any>
#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/os/fd.h"
#include "ttrpc/limits.h"
#include "ttrpc/method.h"
#include "ttrpc/peer.h"
#include "ttrpc/status.h"

namespace flox::ttrpc {

// Who a connection belongs to, for as long as it lasts.
struct Caller {
  std::string name;   // connections of one name share the limits of a client
  std::any identity;  // for the handlers
};

// What is known of a call besides its message.
struct Call {
  Peer peer;                            // who connected; its number may be another process's by now
  std::any identity;                    // what ServerOptions::identify said of it, when it connected
  std::chrono::nanoseconds timeout{0};  // after which the client has lost interest; 0: never
  std::shared_ptr<const std::atomic<bool>> gone = {};  // true once the client has closed its connection
  std::string traceparent =
      {};  // of the client's trace (W3C Trace Context), as it is; empty: none, or too long
};

struct Request {
  std::string payload;  // the method's message, serialised
  Call call;
};

// Answers with the serialised answer. What it throws becomes the call's status (status_of).
using Handler = std::function<boost::asio::awaitable<std::string>(Request)>;

// The handler of a method by types: `answer` takes the request's message and its Call, and gives an awaitable
// of the response's message. A malformed request is INVALID_ARGUMENT.
template <typename RequestMessage, typename ResponseMessage, typename Answer>
Handler to_handler(const Method<RequestMessage, ResponseMessage>& method, Answer answer) {
  return [name = method.name,
          answer = std::move(answer)](Request request) -> boost::asio::awaitable<std::string> {
    RequestMessage message;
    parse_request(request.payload, name, message);
    std::string().swap(request.payload);  // not held twice while the call runs
    const ResponseMessage response = co_await answer(std::move(message), std::move(request.call));
    co_return response.SerializeAsString();
  };
}

struct ServerOptions {
  bool same_user_only = false;  // connections of other effective users or groups are closed at once
  // Asked when a connection is accepted, before a byte of it is read; must not block. What it throws, the
  // client gets as the answer to its first request, and the connection is closed. None: everybody is served.
  std::function<Caller(const PeerProcess&)> identify;
  Limits limits;                         // none by default: containerd keeps connections open for ever
  std::function<void(Refusal)> refused;  // told of each refusal; any thread
};

// Serves from construction until close() or destruction. Calls of one connection run concurrently and are
// answered as they finish; handlers of one connection share its strand, so one that blocks holds up that
// connection: hop to a thread pool first. When a client goes, its calls run on and their answers are dropped.
class Server {
 public:
  // Takes a listening socket (listen_at, or inherited).
  Server(boost::asio::any_io_executor executor, Fd listening, ServerOptions options = {});
  // Listens nowhere: serves the connections that it is given.
  Server(boost::asio::any_io_executor executor, ServerOptions options);
  // Destroy it on the executor's thread or when the executor no longer runs.
  ~Server();

  // Makes a method known, "flox.node.v1.Node" and "Prepare". Before the executor runs.
  void handle(const std::string& service, const std::string& method, Handler handler);
  // The same by types (to_handler).
  template <typename RequestMessage, typename ResponseMessage, typename Answer>
  void handle(const Method<RequestMessage, ResponseMessage>& method, Answer answer) {
    handle(method.service, method.name, to_handler(method, std::move(answer)));
  }
  // Serves a connected Unix socket, as if it had been accepted; while the executor runs, on its thread.
  void serve(Fd connected);
  // Connections that are open now. Thread-safe.
  size_t connections() const;
  // Stops accepting and closes all connections; handlers under way run on. Thread-safe.
  void close();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace flox::ttrpc
