#include "store/cache/http_cache.h"

#include <algorithm>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "base/net/netrc.h"
#include "base/net/problem.h"
#include "base/net/retry_after.h"
#include "store/cache/nar_url.h"

namespace flox::store {
namespace {

constexpr uint64_t max_answer = 64 << 10;  // bytes; what a server says to an upload
constexpr int put_attempts = 3;
constexpr auto first_pause = std::chrono::milliseconds(100);
constexpr auto longest_pause = std::chrono::seconds(30);  // that a server may ask for

// The kind of error that a status is.
ErrorKind kind_of(int status) {
  if (status == 401 || status == 403) return ErrorKind::untrusted;
  if (status == 404 || status == 410) return ErrorKind::not_found;
  if (status == 408 || status == 429 || status >= 500) return ErrorKind::unavailable;
  return ErrorKind::invalid_input;
}

[[noreturn]] void fail_status(const HttpResponse& response, const std::string& url) {
  const Problem problem = problem_of(response);
  const std::string& why = problem.detail.empty() ? problem.title : problem.detail;
  throw Error(
      kind_of(response.status),
      fmt::format("{} answered {}{}{}", printable_url(url), response.status, why.empty() ? "" : ": ", why),
      problem.advice);
}

// A cache may be below other things at the same server, whose business its secrets are not.
bool is_below(std::string_view url, std::string_view base) {
  return url.size() > base.size() && url.starts_with(base) && url[base.size()] == '/';
}

Secret token_of(const CacheUrl& url, Secret given) {
  return given.empty() && !url.token_file.empty() ? read_secret_file(url.token_file) : std::move(given);
}

std::optional<Login> login_of(const CacheUrl& url) {
  HttpUrl parsed = HttpUrl::parse(url.text);
  parsed.login = url.login;
  if (url.login && !url.login->password.empty()) return url.login;
  if (auto login = netrc_login(parsed)) return login;
  return url.login;
}

// Keeps a transfer until it is over, and hands its answer on.
class Asking : public std::enable_shared_from_this<Asking> {
 public:
  Asking(std::string cache, std::string url, std::function<void(CacheAnswer)> done)
      : cache_(std::move(cache)), url_(std::move(url)), done_(std::move(done)) {}

  void start(HttpRequest request, HttpPool& pool, const RetryPolicy& retry) {
    auto self = shared_from_this();
    const size_t buffer = 2 * request.max_body.bytes;  // all of it: nothing is read until it is over
    const auto transfer = pool.start(std::move(request),
                                     {.buffer = buffer, .retry = retry, .on_done = [self] { self->over(); }});
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
  bool is_there() const override { return transfer_->is_over(); }

 private:
  std::shared_ptr<HttpTransfer> transfer_;
  std::string cache_;
  std::string url_;
};

// What comes must be the part that was asked for: a server may give the whole file, or another part.
class PartDownload : public NarFile {
 public:
  PartDownload(std::shared_ptr<HttpTransfer> transfer, std::string cache, std::string url,
               const BinaryCache::Part& part)
      : transfer_(transfer), part_(part), left_(part.size), cache_(cache), download_(transfer, cache, url) {}
  bool read(std::string& piece) override {
    if (!download_.read(piece)) {
      if (left_ > 0)
        fail(ErrorKind::unavailable, "cache {}: it ended {} bytes before the end of the part", cache_, left_);
      return false;
    }
    if (left_ == part_.size) require_part();
    left_ -= std::min<uint64_t>(left_, piece.size());  // more than was asked for, the transfer refuses
    return true;
  }
  bool is_there() const override { return download_.is_there(); }

 private:
  void require_part() const {
    const HttpResponse response = transfer_->response();
    const auto range = response.headers.find("content-range");
    const std::string wanted = fmt::format("bytes {}-{}/", part_.first, part_.first + part_.size - 1);
    if (response.status != 206 || range == response.headers.end() || !range->second.starts_with(wanted))
      fail(ErrorKind::unavailable, "cache {}: it does not give the part of the file that was asked for",
           cache_);
  }

  std::shared_ptr<HttpTransfer> transfer_;
  BinaryCache::Part part_;
  uint64_t left_;
  std::string cache_;
  Download download_;
};

}  // namespace

HttpCache::HttpCache(CacheUrl url, Secret token)
    : BinaryCache(std::move(url)), base_(settings().text), token_(token_of(settings(), std::move(token))) {
  if (token_.empty()) login_ = login_of(settings());
}

HttpCache::HttpCache(CacheUrl url, Secret token, std::optional<Login> login)
    : BinaryCache(std::move(url)),
      base_(settings().text),
      token_(std::move(token)),
      login_(std::move(login)) {}

HttpCache::HttpCache(CacheUrl url, std::string base) : BinaryCache(std::move(url)), base_(std::move(base)) {}

std::unique_ptr<BinaryCache> HttpCache::clone() const {
  return std::unique_ptr<BinaryCache>(new HttpCache(settings(), token_, login_));
}

void HttpCache::ask(const std::string& name, std::function<void(CacheAnswer)> done) {
  HttpRequest request = make_request("GET", base_ + "/" + name, BodyLimit(limit_of(name)));
  authorise(request);
  std::make_shared<Asking>(url(), request.url, std::move(done))->start(std::move(request), pool(), retry());
}

HttpRequest HttpCache::nar_request(const nix::NarInfo& info, const std::optional<Part>& part) const {
  const std::string file = in_context(fmt::format("cache {}", url()),
                                      [&] { return resolve_nar_url(base_, info.url, settings().nar_urls); });
  // What cannot be compressed grows by less than an eighth, whatever the method.
  const uint64_t most = part ? part->size : info.info.nar_size + info.info.nar_size / 8 + (1 << 20);
  HttpRequest request = make_request("GET", file, BodyLimit(most));
  request.timeout = std::chrono::milliseconds(0);  // as long as it takes, unless it stalls
  if (part)
    request.headers.emplace_back("Range",
                                 fmt::format("bytes={}-{}", part->first, part->first + part->size - 1));
  if (is_below(file, base_)) authorise(request);
  return request;
}

std::unique_ptr<NarFile> HttpCache::open_nar(const nix::NarInfo& info, size_t buffer) {
  HttpRequest request = nar_request(info, std::nullopt);
  std::string where = request.url;
  // One that fits the buffer comes whole.
  const size_t piece = info.file_size && *info.file_size <= buffer ? buffer : TransferOptions{}.piece;
  return std::make_unique<Download>(
      pool().start(std::move(request), {.buffer = buffer, .piece = piece, .retry = retry(), .on_done = {}}),
      url(), std::move(where));
}

std::unique_ptr<NarFile> HttpCache::open_part(const nix::NarInfo& info, const Part& part, size_t buffer) {
  HttpRequest request = nar_request(info, part);
  std::string where = request.url;
  return std::make_unique<PartDownload>(
      pool().start(std::move(request), {.buffer = buffer, .retry = retry(), .on_done = {}}), url(),
      std::move(where), part);
}

bool HttpCache::has_nar(const std::string& name) {
  std::unique_ptr<HttpClient> client = take_client();
  HttpRequest request = make_request("HEAD", base_ + "/" + name, BodyLimit(max_answer));
  authorise(request);
  try {
    const bool is_there = client->send(request).ok();
    give_back(std::move(client));
    return is_there;
  } catch (const Error& error) {  // storing it will say what is wrong
    log::debug("asking for {}: {}", name, error.what());
    return false;
  }
}

void HttpCache::put(std::string_view name, const std::filesystem::path& file, std::string_view content_type) {
  in_context(fmt::format("cache {}: storing {}", url(), name), [&] {
    std::unique_ptr<HttpClient> client = take_client();
    auto pause = first_pause;
    for (int attempt = 1;; ++attempt, pause *= 3) {
      HttpRequest request = make_request("PUT", base_ + "/" + std::string(name), BodyLimit(max_answer));
      request.headers.emplace_back("Content-Type", content_type);
      request.upload_file = file.string();
      request.timeout = std::chrono::milliseconds(0);
      authorise(request);
      std::chrono::milliseconds wait = pause;
      try {
        const HttpResponse response = client->send(request);
        if (response.ok()) return give_back(std::move(client));
        if (attempt == put_attempts || kind_of(response.status) != ErrorKind::unavailable)
          fail_status(response, request.url);
        if (response.status == 429 || response.status == 503)
          wait = std::max<std::chrono::milliseconds>(wait, std::min(retry_after(response), longest_pause));
      } catch (const Error& error) {
        if (attempt == put_attempts || error.kind() != ErrorKind::unavailable) throw;
        log::debug("trying again: {}", error.what());
      }
      std::this_thread::sleep_for(wait);
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
  request.bearer = token_;
  request.login = login_;
}

HttpRequest HttpCache::make_request(std::string method, std::string url, BodyLimit max_body) const {
  return {.method = std::move(method), .url = std::move(url), .max_body = max_body};
}

}  // namespace flox::store
