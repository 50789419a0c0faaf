// Range requests (RFC 9110, section 14): answering with a part of a body, so that a transfer that broke off
// can be gone on with.
#pragma once  // Fuzzed by fuzz/http_head.cc.

#include <cstdint>
#include <optional>
#include <string>

#include "base/net/server/http_server.h"

namespace flox {

struct BodyRange {
  uint64_t first = 0;  // offset in the body, bytes
  uint64_t size = 0;   // bytes
};

// Which part of a body of `size` bytes the request asks for: all of it, or the one range that it names,
// unless its If-Range wants that of another body. Several ranges are answered with all, as the RFC allows.
// `etag` names the body's very bytes, without quotes. Sets the response's status (200 or 206) and headers;
// the caller adds the part. Nothing if the range lies beyond the end: the response is complete then (416).
std::optional<BodyRange> choose_range(const ServerRequest& request, uint64_t size, const std::string& etag,
                                      ServerResponse& response);

}  // namespace flox
