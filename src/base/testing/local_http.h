// Addresses of servers of this process, for tests.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "base/net/http_client.h"
#include "base/net/server/http_server.h"

namespace flox {

inline constexpr BodyLimit limit(64 << 20);

inline std::string url(const HttpServer& server, std::string_view path) {
  return fmt::format("http://127.0.0.1:{}{}", server.port(), path);
}

}  // namespace flox
