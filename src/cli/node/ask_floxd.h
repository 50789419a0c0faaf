// Asking this node's floxd: its operator on the node socket, a pod on its own.
#pragma once

#include <chrono>
#include <string>

#include "base/error.h"
#include "ttrpc/blocking_client.h"

namespace flox::cli {

// The socket on which floxd answers here.
std::string floxd_socket();
// The error of a floxd that does not answer, with what to do; others as they are.
Error asking_failed(const Error& error);

// Throws what floxd answers, or asking_failed().
template <typename Request, typename Answer>
Answer ask_floxd(const ttrpc::Method<Request, Answer>& method, const Request& request) {
  constexpr auto call_time = std::chrono::seconds(60);
  try {
    return ttrpc::BlockingClient(floxd_socket()).call(method, request, call_time);
  } catch (const Error& error) {
    throw asking_failed(error);
  }
}

}  // namespace flox::cli
