#include "store/http_cache.h"

#include <algorithm>
#include <mutex>
#include <thread>

#include "base/http_pool.h"
#include "base/log.h"

namespace flox::store {
namespace {

constexpr size_t max_small_file = 1 << 20;  // bytes; a closure's references are a few thousand names at most
constexpr int put_attempts = 3;
constexpr auto first_pause = std::chrono::milliseconds(100);

// The kind of error that a status is.
ErrorKind kind_of(int status) {
  if (status == 401 || status == 403) return ErrorKind::untrusted;
  if (status == 404 || status == 410) return ErrorKind::not_found;
  if (status == 408 || status == 429 || status >= 500) return ErrorKind::unavailable;
  return ErrorKind::invalid_input;
}

[[noreturn]] void fail_status(const HttpResponse& response, const std::string& url) {
  std::string_view body(response.body);
  body = body.substr(0, std::min(body.find('\n'), size_t{200}));
  fail(kind_of(response.status), "{} answered {}{}{}", url, response.status, body.empty() ? "" : ": ", body);
}

// Keeps a transfer until it is over, and hands its answer on.
class Asking : public std::enable_shared_from_this<Asking> {
 public:
  Asking(std::string cache, std::string url, std::function<void(CacheAnswer)> done)
      : cache_(std::move(cache)), url_(std::move(url)), done_(std::move(done)) {}

  void start(HttpRequest request) {
    auto self = shared_from_this();
    const auto transfer = HttpPool::shared().start(std::move(request), {.buffer = 2 * max_small_file,
                                                                        .max_body = max_small_file,
                                                                        .retry = {},
                                                                        .on_done = [self] { self->over(); }});
    const std::lock_guard lock(mutex_);
    transfer_ = transfer;
    if (is_over_) answer();
  }

 private:
  // The transfer may be over before start() has it in hand.
  void over() {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
    if (transfer_) answer();
  }
  void answer() {
    CacheAnswer answer;
    try {
      in_context("cache " + cache_, [&] {
        const HttpResponse response = transfer_->response();
        if (response.status == 404 || response.status == 403 || response.status == 410) return;
        if (!response.ok()) fail_status(response, url_);
        answer.text.emplace();
        for (std::string piece; transfer_->read(piece);) *answer.text += piece;
      });
    } catch (const Error& error) {
      answer = {.text = std::nullopt, .error = error};
    }
    transfer_.reset();
    std::exchange(done_, nullptr)(std::move(answer));
  }

  std::string cache_;
  std::string url_;
  std::function<void(CacheAnswer)> done_;
  std::mutex mutex_;
  bool is_over_ = false;
  std::shared_ptr<HttpTransfer> transfer_;
};

class Download : public NarFile {
 public:
  Download(std::shared_ptr<HttpTransfer> transfer, std::string cache, std::string url)
      : transfer_(std::move(transfer)), cache_(std::move(cache)), url_(std::move(url)) {}
  bool read(std::string& piece) override {
    return in_context("cache " + cache_, [&] {
      if (transfer_->read(piece)) return true;
      if (const HttpResponse response = transfer_->response(); !response.ok()) fail_status(response, url_);
      return false;
    });
  }

 private:
  std::shared_ptr<HttpTransfer> transfer_;
  std::string cache_;
  std::string url_;
};

}  // namespace

HttpCache::HttpCache(CacheUrl url, std::string token)
    : BinaryCache(std::move(url)), base_(settings().text), token_(std::move(token)) {}

HttpCache::HttpCache(CacheUrl url, std::string token, std::string base)
    : BinaryCache(std::move(url)), base_(std::move(base)), token_(std::move(token)) {}

std::unique_ptr<BinaryCache> HttpCache::clone() const {
  return std::make_unique<HttpCache>(settings(), token_);
}

void HttpCache::ask(const std::string& name, std::function<void(CacheAnswer)> done) {
  HttpRequest request = make_request("GET", base_ + "/" + name);
  std::make_shared<Asking>(url(), request.url, std::move(done))->start(std::move(request));
}

std::unique_ptr<NarFile> HttpCache::open_nar(const nix::NarInfo& info, size_t buffer) {
  HttpRequest request = make_request("GET", absolute(info.url));
  request.timeout = std::chrono::milliseconds(0);  // as long as it takes, unless it stalls
  std::string where = request.url;
  // One that fits the buffer comes whole.
  const size_t piece = info.file_size && *info.file_size <= buffer ? buffer : TransferOptions{}.piece;
  return std::make_unique<Download>(
      HttpPool::shared().start(std::move(request),
                               {.buffer = buffer, .piece = piece, .max_body = 0, .retry = {}, .on_done = {}}),
      url(), std::move(where));
}

void HttpCache::put(std::string_view name, const std::filesystem::path& file, std::string_view content_type) {
  in_context(fmt::format("cache {}: storing {}", url(), name), [&] {
    std::unique_ptr<HttpClient> client = take_client();
    auto pause = first_pause;
    for (int attempt = 1;; ++attempt, pause *= 3) {
      HttpRequest request{.method = "PUT", .url = base_ + "/" + std::string(name)};
      request.headers.emplace_back("Content-Type", content_type);
      request.upload_file = file.string();
      request.timeout = std::chrono::milliseconds(0);
      authorise(request);
      try {
        const HttpResponse response = client->send(request);
        if (response.ok()) return give_back(std::move(client));
        if (attempt == put_attempts || kind_of(response.status) != ErrorKind::unavailable)
          fail_status(response, request.url);
      } catch (const Error& error) {
        if (attempt == put_attempts || error.kind() != ErrorKind::unavailable) throw;
        log::debug("trying again: {}", error.what());
      }
      std::this_thread::sleep_for(pause);
    }
  });
}

std::unique_ptr<HttpClient> HttpCache::take_client() {
  const std::lock_guard lock(mutex_);
  if (clients_.empty()) return std::make_unique<HttpClient>();
  auto client = std::move(clients_.back());
  clients_.pop_back();
  return client;
}

void HttpCache::give_back(std::unique_ptr<HttpClient> client) {
  const std::lock_guard lock(mutex_);
  clients_.push_back(std::move(client));
}

void HttpCache::authorise(HttpRequest& request) const {
  if (!token_.empty()) request.headers.emplace_back("Authorization", "Bearer " + token_);
}

HttpRequest HttpCache::make_request(std::string method, std::string url) const {
  HttpRequest request{.method = std::move(method), .url = std::move(url)};
  // A narinfo may point anywhere; the token is for this cache only.
  if (request.url.starts_with(base_ + "/")) authorise(request);
  return request;
}

std::string HttpCache::absolute(const std::string& url) const {
  if (url.starts_with("http://") || url.starts_with("https://")) return url;
  return base_ + "/" + url;
}

}  // namespace flox::store
