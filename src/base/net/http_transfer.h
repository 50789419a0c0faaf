// One exchange of HttpPool, over all its attempts: what the reader sees of it, and what the pool's thread
// does with it. Internal to the pool.
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/net/curl_setup.h"
#include "base/net/http_pool.h"
#include "base/net/http_redirect.h"

namespace flox {

class PoolTransfer;

// What the transfers need of the pool. Thread-safe.
class PoolLoop {
 public:
  virtual void wake() = 0;
  // The reader has made room: a transfer that paused goes on.
  virtual void ask_resume(PoolTransfer* transfer) = 0;

 protected:
  ~PoolLoop() = default;
};

class PoolTransfer {
 public:
  PoolTransfer(PoolLoop& loop, HttpRequest request, TransferOptions options)
      : loop_(loop), request_(std::move(request)), options_(std::move(options)) {}
  PoolTransfer(const PoolTransfer&) = delete;
  PoolTransfer& operator=(const PoolTransfer&) = delete;

  // The reader's side: thread-safe, as HttpTransfer says.
  bool read(std::string& piece);
  HttpResponse response();
  bool is_over() const;
  void abandon();
  bool is_abandoned() const;

  // The pool's thread's side.
  // Begins an attempt. Throws Error if the request cannot be sent at all.
  void begin(CURL* handle);
  // Ends it: the pause before the next attempt, or nothing if the exchange is over.
  std::optional<std::chrono::milliseconds> end(CURLcode code);
  // Ends the exchange between two attempts, or before the first.
  void fail_with(const Error& error);

 private:
  using milliseconds = std::chrono::milliseconds;

  std::optional<milliseconds> finish(std::optional<Error> error);
  milliseconds pause_before_next() const;
  static size_t on_header(char* data, size_t size, size_t count, void* user);
  static size_t on_body(char* data, size_t size, size_t count, void* user);
  size_t body(std::string_view piece);
  size_t expected_left() const;
  bool continues(long status) const;
  void note_resumability();

  PoolLoop& loop_;
  const HttpRequest request_;
  TransferOptions options_;

  // Shared with the reader.
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> blocks_;
  size_t buffered_ = 0;
  bool paused_ = false;
  bool done_ = false;
  bool abandoned_ = false;
  std::optional<Error> error_;
  HttpResponse shown_;

  // The pool's thread's own.
  CURL* handle_ = nullptr;
  std::optional<Redirects> way_;
  bool redirected_ = false;  // the next exchange goes where the last one was sent on to
  std::unique_ptr<CurlHeaders> headers_;
  HttpResponse head_;
  HeadReader head_reader_;
  ErrorBody error_body_;
  std::array<char, CURL_ERROR_SIZE> reason_{};
  uint64_t received_ = 0;          // bytes of the body passed on, over all attempts
  uint64_t attempt_received_ = 0;  // in this attempt
  uint64_t skip_ = 0;              // bytes of this answer that were passed on before
  bool can_resume_ = false;
  bool too_large_ = false;
  std::string validator_;
  unsigned tries_ = 0;
};

}  // namespace flox
