// A ttrpc client for coroutines: calls go one after the other over one connection, made when first needed and
// made again after it broke.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "ttrpc/method.h"

namespace flox::ttrpc {

// One coroutine at a time.
class Client {
 public:
  // Does not connect yet. "unix://" in front of the path is allowed.
  Client(boost::asio::any_io_executor executor, std::string socket_path);
  ~Client();

  // As BlockingClient::call; the trace that the call belongs to, or nothing. A broken connection throws
  // ConnectionError (socket.h); the next call connects anew.
  boost::asio::awaitable<std::string> call(std::string service, std::string method, std::string payload,
                                           std::chrono::milliseconds timeout, std::string traceparent = {});
  // The same by types.
  template <typename RequestMessage, typename ResponseMessage>
  boost::asio::awaitable<ResponseMessage> call(Method<RequestMessage, ResponseMessage> method,
                                               RequestMessage request, std::chrono::milliseconds timeout,
                                               std::string traceparent = {}) {
    const std::string answer = co_await call(method.service, method.name, request.SerializeAsString(),
                                             timeout, std::move(traceparent));
    ResponseMessage response;
    parse_answer(answer, method.name, response);
    co_return response;
  }

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace flox::ttrpc
