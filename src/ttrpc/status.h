// How an RPC ended: gRPC's status codes, which ttrpc shares, and their translation to and from flox::Error.
#pragma once

#include <exception>
#include <string>
#include <utility>

#include "base/error.h"

namespace flox::ttrpc {

enum class Code : int {
  ok = 0,
  canceled = 1,
  unknown = 2,
  invalid_argument = 3,
  deadline_exceeded = 4,
  not_found = 5,
  already_exists = 6,
  permission_denied = 7,
  resource_exhausted = 8,
  failed_precondition = 9,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
};

struct Status {
  Code code = Code::ok;
  std::string message;
};

// A failure with a particular code, for services whose callers tell more codes apart than ErrorKind has.
class StatusError : public std::exception {
 public:
  StatusError(Code code, std::string message) : status_{code, std::move(message)} {}
  const Status& status() const noexcept { return status_; }
  const char* what() const noexcept override { return status_.message.c_str(); }

 private:
  Status status_;
};

template <typename... Args>
[[noreturn]] void fail_status(Code code, fmt::format_string<Args...> format, Args&&... args) {
  throw StatusError(code, fmt::format(format, std::forward<Args>(args)...));
}

// not_found NOT_FOUND, invalid_input INVALID_ARGUMENT, untrusted PERMISSION_DENIED, conflict ALREADY_EXISTS,
// unavailable UNAVAILABLE, internal INTERNAL. Advice follows the message after "\n". Exceptions of other
// families are UNKNOWN; a StatusError is its own status.
Status status_of(const std::exception& error);

// The way back. DEADLINE_EXCEEDED and RESOURCE_EXHAUSTED become unavailable, FAILED_PRECONDITION conflict,
// UNIMPLEMENTED invalid_input, the rest internal.
Error error_of(const Status& status);

}  // namespace flox::ttrpc
