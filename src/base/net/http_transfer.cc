#include "base/net/http_transfer.h"

#include <algorithm>
#include <random>

#include "base/net/retry_after.h"
#include "base/printable.h"

namespace flox {
namespace {

using std::chrono::milliseconds;

constexpr long receive_buffer = 128 * 1024;

bool is_overload(long status) { return status == 408 || status == 429 || status >= 500; }

bool is_passing(CURLcode code) {
  switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_OUT_OF_MEMORY:
      return false;
    default:
      return true;
  }
}

std::string_view header_of(const HttpResponse& response, const std::string& name) {
  const auto found = response.headers.find(name);
  return found == response.headers.end() ? std::string_view() : std::string_view(found->second);
}

}  // namespace

bool PoolTransfer::read(std::string& piece) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return done_ || !blocks_.empty(); });
  if (blocks_.empty()) {
    if (error_) throw Error(*error_);
    return false;
  }
  piece = std::move(blocks_.front());
  blocks_.pop_front();
  buffered_ -= piece.size();
  if (paused_ && buffered_ <= options_.buffer / 2) {
    paused_ = false;
    lock.unlock();
    loop_.ask_resume(this);
  }
  return true;
}

HttpResponse PoolTransfer::response() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return done_ || !blocks_.empty(); });
  if (blocks_.empty() && error_) throw Error(*error_);
  return shown_;
}

bool PoolTransfer::is_over() const {
  const std::lock_guard lock(mutex_);
  return done_;
}

void PoolTransfer::abandon() {
  const std::lock_guard lock(mutex_);
  abandoned_ = true;
}

bool PoolTransfer::is_abandoned() const {
  const std::lock_guard lock(mutex_);
  return abandoned_;
}

void PoolTransfer::begin(CURL* handle) {
  handle_ = handle;
  head_ = {};
  head_reader_ = {};
  error_body_ = {};
  skip_ = 0;
  attempt_received_ = 0;
  reason_[0] = '\0';
  if (!std::exchange(redirected_, false)) {  // each attempt begins where the request says
    HttpRequest now = request_;
    if (received_ > 0 && can_resume_) {
      now.headers.emplace_back("Range", fmt::format("bytes={}-", received_));
      if (!validator_.empty()) now.headers.emplace_back("If-Range", validator_);
    }
    way_.emplace(std::move(now));
  }
  headers_ = std::make_unique<CurlHeaders>(set_up(handle, way_->request()));
  way_->guard(handle);
  curl().easy_setopt(handle, CURLOPT_PRIVATE, this);
  curl().easy_setopt(handle, CURLOPT_ERRORBUFFER, reason_.data());
  curl().easy_setopt(handle, CURLOPT_HEADERFUNCTION, &on_header);
  curl().easy_setopt(handle, CURLOPT_HEADERDATA, this);
  curl().easy_setopt(handle, CURLOPT_WRITEFUNCTION, &on_body);
  curl().easy_setopt(handle, CURLOPT_WRITEDATA, this);
  curl().easy_setopt(handle, CURLOPT_BUFFERSIZE,
                     std::clamp(static_cast<long>(options_.buffer), 16 * 1024L, receive_buffer));
  curl().easy_setopt(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  // Rather wait until it is known whether the connection multiplexes than open sixteen.
  if (way_->request().url.starts_with("https:")) curl().easy_setopt(handle, CURLOPT_PIPEWAIT, 1L);
}

std::optional<std::chrono::milliseconds> PoolTransfer::end(CURLcode code) {
  long status = 0;
  curl().easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
  head_.status = static_cast<int>(status);
  CURL* handle = std::exchange(handle_, nullptr);
  headers_.reset();
  if (is_abandoned()) return finish({});
  if (error_body_.is_cut()) code = CURLE_OK;
  const std::string url = printable_url(way_->request().url);
  if (too_large_)
    return finish(Error(ErrorKind::invalid_input,
                        fmt::format("{}: it is larger than {} bytes", url, request_.max_body.bytes)));
  if (head_reader_.is_too_large())
    return finish(Error(ErrorKind::invalid_input, url + ": its headers are too many or too large"));
  if (code != CURLE_OK && way_->refusal()) return finish(*way_->refusal());
  try {
    redirected_ = code == CURLE_OK && way_->follow(handle, status);
  } catch (const Error& error) {
    return finish(error);
  }
  if (redirected_) return milliseconds(0);
  head_.is_foreign = way_->is_foreign();
  const bool refused_range = status == 416 && received_ > 0;
  const bool again = code != CURLE_OK ? is_passing(code) : is_overload(status) || refused_range;
  if (!again && code == CURLE_OK && (received_ == 0 || head_.ok())) {
    head_.body = error_body_.take();
    return finish({});
  }
  if (attempt_received_ > 0) tries_ = 0;
  ++tries_;
  if (refused_range) can_resume_ = false;
  // Who cannot be reached at all is rarely back within seconds, and there may be another cache.
  const bool unreachable = code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST;
  const unsigned attempts = unreachable ? std::min(options_.retry.attempts, 2U) : options_.retry.attempts;
  if (again && tries_ < attempts) return pause_before_next();
  if (code == CURLE_OK) {  // the last overloaded answer is the answer
    head_.body = error_body_.take();
    if (received_ == 0) return finish({});
  }
  const std::string why = code == CURLE_OK     ? fmt::format("the server answered {}", status)
                          : reason_[0] != '\0' ? printable(reason_.data())
                                               : std::string(curl().easy_strerror(code));
  return finish(Error(ErrorKind::unavailable,
                      fmt::format("{} {}: {}{}", request_.method, url, why,
                                  tries_ > 1 ? fmt::format(" (after {} attempts)", tries_) : "")));
}

void PoolTransfer::fail_with(const Error& error) {
  handle_ = nullptr;
  headers_.reset();
  finish(error);
}

std::optional<std::chrono::milliseconds> PoolTransfer::finish(std::optional<Error> error) {
  std::function<void()> on_done;
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
    error_ = std::move(error);
    shown_ = head_;
    on_done = std::exchange(options_.on_done, nullptr);
    if (abandoned_) on_done = nullptr;  // whoever wanted to know is gone
  }
  changed_.notify_all();
  if (on_done) on_done();
  return std::nullopt;
}

std::chrono::milliseconds PoolTransfer::pause_before_next() const {
  const RetryPolicy& retry = options_.retry;
  milliseconds pause = retry.first_pause;
  for (unsigned i = 1; i < tries_ && pause < retry.longest_pause; ++i) pause *= 2;
  static thread_local std::minstd_rand random{std::random_device{}()};
  std::uniform_real_distribution<double> jitter(0.5, 1.0);
  pause = milliseconds(static_cast<long>(static_cast<double>(pause.count()) * jitter(random)));
  return std::min(std::max<milliseconds>(pause, retry_after(head_)), retry.longest_pause);
}

size_t PoolTransfer::on_header(char* data, size_t size, size_t count, void* user) {
  auto& self = *static_cast<PoolTransfer*>(user);
  return self.head_reader_.add(self.head_, {data, size * count}) ? size * count : 0;
}

size_t PoolTransfer::on_body(char* data, size_t size, size_t count, void* user) {
  return static_cast<PoolTransfer*>(user)->body({data, size * count});
}

// The whole piece, nothing (pause: it will come again), or an error.
size_t PoolTransfer::body(std::string_view piece) {
  const size_t all = piece.size();
  if (attempt_received_ == 0 && error_body_.empty()) {
    long status = 0;
    curl().easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
    head_.status = static_cast<int>(status);
    if (head_.ok() && received_ > 0 && !continues(status)) skip_ = received_;
    if (head_.ok() && received_ == 0) note_resumability();
  }
  if (!head_.ok()) {
    return error_body_.add(piece) ? all : CURL_WRITEFUNC_ERROR;
  }
  too_large_ = received_ + piece.size() > request_.max_body.bytes + skip_;
  if (too_large_) return CURL_WRITEFUNC_ERROR;
  const auto skipped = static_cast<size_t>(std::min<uint64_t>(skip_, piece.size()));
  piece.remove_prefix(skipped);
  if (piece.empty()) {
    skip_ -= skipped;
    return all;
  }
  {
    const std::lock_guard lock(mutex_);
    if (abandoned_) return CURL_WRITEFUNC_ERROR;
    if (buffered_ >= options_.buffer) {
      paused_ = true;
      return CURL_WRITEFUNC_PAUSE;
    }
    if (blocks_.empty() || blocks_.back().size() + piece.size() > options_.piece) {
      blocks_.emplace_back();
      blocks_.back().reserve(std::max(std::min(expected_left(), options_.piece), piece.size()));
    }
    blocks_.back().append(piece);
    buffered_ += piece.size();
    if (received_ == 0) shown_ = head_;
  }
  changed_.notify_one();
  skip_ -= skipped;
  received_ += piece.size();
  attempt_received_ += piece.size();
  return all;
}

size_t PoolTransfer::expected_left() const {
  curl_off_t length = -1;
  curl().easy_getinfo(handle_, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  if (length < 0) return TransferOptions{}.piece;  // it does not say
  return static_cast<size_t>(std::max<curl_off_t>(length - static_cast<curl_off_t>(attempt_received_), 0));
}

// Whether a further answer begins where the one before broke off.
bool PoolTransfer::continues(long status) const {
  return can_resume_ && status == 206 &&
         header_of(head_, "content-range").starts_with(fmt::format("bytes {}-", received_));
}

void PoolTransfer::note_resumability() {
  // Who asked for a part gets it from its beginning again: where it broke off is no place in the file.
  const bool is_part =
      std::ranges::any_of(request_.headers, [](const auto& header) { return header.first == "Range"; });
  can_resume_ = !is_part && header_of(head_, "accept-ranges") == "bytes" &&
                header_of(head_, "content-encoding").empty();
  validator_ = header_of(head_, "etag");
  if (validator_.starts_with("W/")) validator_.clear();  // weak: not good for ranges
  if (validator_.empty()) validator_ = header_of(head_, "last-modified");
}

}  // namespace flox
