// What a server says about why it failed (RFC 9457, application/problem+json), as far as it may stand in a
// message.
#pragma once

#include <string>

#include "base/net/http_client.h"

namespace flox {

// One line each, at most 300 characters, without control characters. All empty if the answer is no problem
// document, or came from another server than was asked: untrusted text is not repeated.
struct Problem {
  std::string title;
  std::string detail;
  std::string advice;
};
Problem problem_of(const HttpResponse& response) noexcept;

}  // namespace flox
