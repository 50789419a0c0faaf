// A small HTTP/1.1 server for flox-catalog, flox store serve, floxd's metrics and the workload's metrics.
//
// Clients are untrusted: every part of a request is bounded before it is kept, memory grows as bytes
// arrive, and a client that is slow costs a small object and no thread. One thread moves bytes; handlers run
// on threads of their own, uploads and streams on others again, so that neither keeps the rest waiting.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/data/bytes.h"
#include "base/error.h"
#include "base/os/fd.h"

namespace flox {

class HttpTransportMaker;
class TrustedProxies;

// Where the body of a PUT goes while it arrives. Its functions run on the server's upload threads, one at a
// time.
class UploadSink {
 public:
  virtual ~UploadSink() = default;
  // What it throws is the answer; the rest of the body stays unread.
  virtual void write(std::string_view piece) = 0;
};

struct ServerRequest {
  std::string method;                        // "GET", …
  std::string path;                          // decoded, without the query: "/api/v1/packages/web"; UTF-8, no
                                             // control characters
  std::map<std::string, std::string> query;  // decoded, as the path is; the last of equal names counts
  std::map<std::string, std::string> headers;  // names in lower case
  std::string peer;                            // the client's address; a proxy's, unless it is trusted
  std::string local;                           // this end of the connection, as ADDRESS:PORT
  std::string body;                            // empty for an upload
  std::filesystem::path body_file;             // an upload to upload_dir: a temporary file, removed after the
                                               // handler, which may rename it away
  std::shared_ptr<UploadSink> upload;          // an upload to what begin_upload gave
};

// A regular file that many answers are read from, each at its own place.
struct OpenedFile {
  Fd fd;
  uint64_t size = 0;  // bytes
};

struct ServerResponse {
  int status = 200;
  std::string reason;  // instead of the status's own words, in one line; empty: those
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::shared_ptr<const std::string> shared_body;  // instead of `body`: what many answers have, never copied
  std::optional<std::filesystem::path> body_file;  // a regular file, sent as the body instead of these
  std::shared_ptr<const OpenedFile> shared_file;   // the same, open already; the whole of it
  std::map<std::string, std::string> headers;      // further headers
  // Makes the body piece by piece instead, on a thread for streams; what it throws ends the connection, which
  // the peer sees as a broken transfer. The sink throws when the peer is gone or too slow.
  std::function<void(const ByteSink&)> stream;
  std::optional<uint64_t> stream_size;  // bytes in all; without it the body goes out in chunks
  // Instead of all these: the answer comes later, and until then the request has its connection and no
  // thread. Called once on the thread that moves bytes, so it must not block or throw, with what takes the
  // answer: once, from any thread, also after the server has gone; it does not throw. Not called if the
  // client has gone before.
  std::function<void(std::function<void(ServerResponse)>)> later;

  // The body that is in memory.
  std::string_view text() const noexcept { return shared_body ? *shared_body : body; }
};

// An Error that is answered with a status that its kind does not have (413, 507, …).
class StatusError : public Error {
 public:
  StatusError(int status, ErrorKind kind, std::string message, std::string advice = {})
      : Error(kind, std::move(message), std::move(advice)), status_(status) {}
  int status() const noexcept { return status_; }

 private:
  int status_;
};

struct HttpServerOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 0;  // 0: the system chooses
  // A listening TCP socket to take over, instead of making one at address and port (InheritedSockets). The
  // service manager has it, too: connections that wait in it are the next program's when this one ends.
  std::shared_ptr<Fd> listening;
  unsigned threads = 2;                  // for handlers; as many again for uploads
  unsigned stream_threads = 16;          // streamed answers in progress, of a peer at most half; others wait
  bool read_only = false;                // only GET and HEAD, without bodies: for metrics and the like
  uint64_t max_body = 16 * 1024 * 1024;  // bytes; a larger body is answered with 413
  uint64_t max_upload = 16ULL << 30;     // bytes, for PUT, which goes to a file
  std::filesystem::path upload_dir;      // where PUT bodies are collected; empty: PUT is like POST
  // Asked with a request's head, before its body is read; what it throws is the answer, and the body stays
  // unread: who may not upload cannot fill the disk. Runs on the thread that moves bytes: it must not block.
  std::function<void(const ServerRequest&)> admit;
  // Takes the bodies of PUT instead of upload_dir. Runs as `admit`, after it.
  std::function<std::shared_ptr<UploadSink>(const ServerRequest&)> begin_upload;
  // Asked with the head of a GET or HEAD without a body, after `admit`: what is in memory is answered here,
  // for the way through a handler's thread costs more than such an answer does. Nothing: the handler answers.
  // Runs as `admit`.
  std::function<std::optional<ServerResponse>(const ServerRequest&)> at_once;
  // Paths with an answer that never changes ("/healthz"): given at once, however busy the handlers are.
  std::map<std::string, std::string, std::less<>> fixed;

  size_t max_header = 8 * 1024;  // bytes of a request's head; more is 431
  size_t max_target = 4 * 1024;  // bytes of path and query; more is 414
  size_t max_fields = 64;        // header fields; more is 431
  // At a limit, the connection that has waited longest for its client makes room: of the peer's own for the
  // second, of the peer with the most connections for the first. A peer is an IPv4 address or an IPv6 /64.
  size_t max_connections = 512;
  size_t max_connections_per_peer = 0;  // 0: as many as there are in all
  size_t max_waiting = 1024;            // requests that wait for a handler; more are answered with 503
  size_t max_uploads = 64;              // at once; more are answered with 503
  // Bytes of bodies and answers that may be in memory, of all connections, and half of it of one peer; more
  // are answered with 503.
  uint64_t max_memory = 32 << 20;
  std::chrono::seconds header_deadline{10};       // from the first byte (or the connection) to the head's end
  std::chrono::seconds idle_deadline{60};         // until the next request begins
  std::chrono::seconds stall_deadline{20};        // in a body or an answer: without any progress
  uint64_t min_rate = 4096;                       // bytes/s of a body or an answer, after stall_deadline
  std::shared_ptr<HttpTransportMaker> transport;  // TLS (base/net/server/http_tls.h); null: plain
  // Who may say whose request it passes on (base/net/server/trusted_proxies.h); null: nobody. The limits of
  // connections and memory hold for the proxy's connections all the same.
  std::shared_ptr<const TrustedProxies> trusted_proxies;
};

// Since the start; metrics_text() (base/net/server/metrics_page.h) shows them.
struct HttpServerCounters {
  std::atomic<uint64_t> connections{0};         // open now
  std::atomic<uint64_t> connections_total{0};   // accepted
  std::atomic<uint64_t> evicted_total{0};       // closed to make room
  std::atomic<uint64_t> timed_out_total{0};     // closed because the client was idle or too slow
  std::atomic<uint64_t> overloaded_total{0};    // requests answered with 503 by a limit
  std::atomic<uint64_t> bad_requests_total{0};  // requests that were no HTTP or broke a limit of their size
  std::atomic<uint64_t> accept_failures_total{0};
};

// Serves until it goes. The handler runs on the server's threads, several at a time; an Error it throws
// becomes an application/problem+json answer (RFC 9457) with a status by its kind, anything else a 500. What
// went wrong inside (kinds internal and unavailable, foreign exceptions) is logged, and not told.
class HttpServer {
 public:
  using Handler = std::function<ServerResponse(const ServerRequest&)>;
  // Listens at once. Throws Error(unavailable) if the address cannot be had.
  HttpServer(HttpServerOptions options, Handler handler);
  ~HttpServer();
  uint16_t port() const noexcept;
  const HttpServerCounters& counters() const noexcept;

  // Its end, so that no client notices: begin_drain(), time for load balancers to send clients elsewhere,
  // drain(). From now on each answer is its connection's last ("Connection: close"); all else goes on.
  void begin_drain();
  // Listens no more, closes connections that wait for their next request, and waits for `patience` at most
  // until the others have had their answers. Returns how many connections are open still; it may be called
  // again.
  size_t drain(std::chrono::milliseconds patience);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flox
