// A small HTTP/1.1 server over Boost.Beast for flox-catalog, flox store serve, floxd's metrics and the
// workload's metrics.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"

namespace flox {

struct ServerRequest {
  std::string method;                          // "GET", …
  std::string path;                            // decoded, without the query: "/api/v1/packages/web"
  std::map<std::string, std::string> query;    // decoded; the last of equal names counts
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // empty if body_file is set
  std::filesystem::path body_file;             // a PUT's body: a temporary file, removed after the handler;
                                               // the handler may rename it away
};

struct ServerResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::optional<std::filesystem::path> body_file;  // sent as the body instead of `body`
  std::map<std::string, std::string> headers;      // further headers
  // Makes the body piece by piece instead, on the thread that answers; what it throws ends the connection,
  // which the peer sees as a broken transfer. A peer that takes nothing for a minute is given up.
  std::function<void(const ByteSink&)> stream;
  std::optional<uint64_t> stream_size;  // bytes in all; without it the body goes out in chunks
};

struct HttpServerOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 0;  // 0: the system chooses
  unsigned threads = 2;
  uint64_t max_body = 16 * 1024 * 1024;  // bytes; a larger body is answered with 413
  uint64_t max_upload = 16ULL << 30;     // bytes, for PUT, which goes to a file
  std::filesystem::path upload_dir;      // where PUT bodies are collected; empty: PUT is like POST
  // Asked with a request's head, before its body is read; what it throws is the answer, and the body stays
  // unread: who may not upload cannot fill the disk. Runs on the server's threads, as the handler does. May
  // be empty.
  std::function<void(const ServerRequest&)> admit;
};

// Serves until it goes. The handler runs on the server's threads, several at a time; an Error it throws
// becomes an application/problem+json answer (RFC 9457) with a status by its kind, anything else a 500.
class HttpServer {
 public:
  using Handler = std::function<ServerResponse(const ServerRequest&)>;
  // Listens at once. Throws Error(unavailable) if the address cannot be had.
  HttpServer(HttpServerOptions options, Handler handler);
  ~HttpServer();
  uint16_t port() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flox
