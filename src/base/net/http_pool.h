// Many HTTP exchanges at once: one thread drives them all over few connections, which every user of the pool
// shares (HTTP/2 multiplexes over one, HTTP/1.1 keeps up to `connections_per_host` open).
//
// What a network does to a transfer is dealt with here: overloaded servers (408, 429, 5xx) and broken
// connections get further attempts after a growing pause with jitter, or the pause that Retry-After names. A
// body that broke off is gone on with where it stopped: by Range if the server said "Accept-Ranges: bytes"
// and used no Content-Encoding, otherwise from the start with what was read already left out.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/net/http_client.h"

namespace flox {

struct RetryPolicy {
  unsigned attempts = 5;  // without a byte of progress between them
  std::chrono::milliseconds first_pause{250};
  std::chrono::milliseconds longest_pause{30'000};  // Retry-After, too, counts up to here
};

struct TransferOptions {
  size_t buffer = 8 << 20;    // bytes of the body that may wait for the reader; then the transfer pauses
  size_t piece = 256 * 1024;  // bytes; what read() gives at most: a body that fits may come whole
  RetryPolicy retry;
  // Called once, on the pool's thread, when the exchange is over, well or badly; it must return at once.
  std::function<void()> on_done;
};

// One exchange. Thread-safe; aborted when the last owner lets go of it.
class HttpTransfer {
 public:
  virtual ~HttpTransfer() = default;
  // Waits for the next piece of a 2xx body; false at its end, and at once for other statuses. Throws
  // Error(unavailable) if there is no answer or the body broke off for good.
  virtual bool read(std::string& piece) = 0;
  // Status and headers; the body if the status is not 2xx (its first 64 KiB). Waits for the end of the
  // exchange or the first piece. Throws as read() does.
  virtual HttpResponse response() = 0;
  // Whether the exchange is over: neither of them waits any more.
  virtual bool is_over() const = 0;
};

class HttpPool {
 public:
  static constexpr long connections_per_host = 16;
  static constexpr size_t transfers_at_once = 64;  // further ones wait their turn

  HttpPool();
  ~HttpPool();  // aborts what is under way
  HttpPool(const HttpPool&) = delete;
  HttpPool& operator=(const HttpPool&) = delete;

  // The process's own, made at first use.
  static HttpPool& shared();

  // Thread-safe. `request.upload_file` is not for this: uploads go through HttpClient. The request's time-out
  // is that of one attempt.
  std::shared_ptr<HttpTransfer> start(HttpRequest request, TransferOptions options = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flox
