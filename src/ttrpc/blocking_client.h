// A ttrpc client for programs without an event loop: one connection, one call at a time, plain system calls.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/os/fd.h"
#include "ttrpc/method.h"

namespace flox::ttrpc {

// One thread at a time.
class BlockingClient {
 public:
  // Throws Error(unavailable) naming the socket if nobody listens. "unix://" in front of the path is allowed.
  explicit BlockingClient(std::string socket_path);

  // Calls SERVICE/METHOD with a serialised message and gives the serialised answer. A timeout of zero waits
  // for ever. Throws what the server answered (error_of), Error(unavailable) if the connection breaks or time
  // runs out — the object is then of no more use — and Error(internal) for an answer that breaks the
  // protocol.
  std::string call(std::string_view service, std::string_view method, std::string_view payload,
                   std::chrono::milliseconds timeout = std::chrono::milliseconds(0));
  // The same by types: `client.call(node::v1::Node::Release, request)`.
  template <typename RequestMessage, typename ResponseMessage>
  ResponseMessage call(const Method<RequestMessage, ResponseMessage>& method, const RequestMessage& request,
                       std::chrono::milliseconds timeout = std::chrono::milliseconds(0)) {
    ResponseMessage response;
    parse_answer(call(method.service, method.name, request.SerializeAsString(), timeout), method.name,
                 response);
    return response;
  }

 private:
  std::string path_;
  Fd socket_;
  uint32_t next_stream_ = 1;
};

}  // namespace flox::ttrpc
