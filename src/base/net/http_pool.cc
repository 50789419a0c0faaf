#include "base/net/http_pool.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <cstring>
#include <ctime>
#include <deque>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "base/error.h"
#include "base/net/curl_setup.h"
#include "base/net/http_redirect.h"
#include "base/os/fd.h"
#include "base/printable.h"

namespace flox {
namespace {

using Clock = std::chrono::steady_clock;
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

// Seconds or a date (RFC 9110); zero if it says nothing that can be understood.
milliseconds retry_after(const HttpResponse& response) {
  const auto header = response.headers.find("retry-after");
  if (header == response.headers.end()) return {};
  const std::string& text = header->second;
  long seconds = 0;
  if (auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), seconds);
      bad != std::errc() || end != text.data() + text.size()) {
    const time_t when = curl().getdate(text.c_str(), nullptr);
    seconds = when < 0 ? 0 : static_cast<long>(when - std::time(nullptr));
  }
  return std::chrono::seconds(std::clamp(seconds, 0L, 3600L));
}

std::string_view header_of(const HttpResponse& response, const std::string& name) {
  const auto found = response.headers.find(name);
  return found == response.headers.end() ? std::string_view() : std::string_view(found->second);
}

class Transfer;

// What the transfers need of the pool.
class Loop {
 public:
  virtual void wake() = 0;
  virtual void ask_resume(Transfer* transfer) = 0;

 protected:
  ~Loop() = default;
};

// The first group of members is shared with the reader, under the mutex; the second is the pool's thread's
// own.
class Transfer {
 public:
  Transfer(Loop& loop, HttpRequest request, TransferOptions options)
      : loop_(loop), request_(std::move(request)), options_(std::move(options)) {}
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // --- the reader's side
  bool read(std::string& piece) {
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
  HttpResponse response() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return done_ || !blocks_.empty(); });
    if (blocks_.empty() && error_) throw Error(*error_);
    return shown_;
  }
  void abandon() {
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
  }
  bool abandoned() const {
    const std::lock_guard lock(mutex_);
    return abandoned_;
  }

  // --- the pool's thread's side
  // Throws Error if the request cannot be sent at all.
  void begin(CURL* handle) {
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

  // The pause before the next attempt; nothing if it is over.
  std::optional<milliseconds> end(CURLcode code) {
    long status = 0;
    curl().easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
    head_.status = static_cast<int>(status);
    CURL* handle = std::exchange(handle_, nullptr);
    headers_.reset();
    if (abandoned()) return finish({});
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

  void fail_with(const Error& error) {
    handle_ = nullptr;
    headers_.reset();
    finish(error);
  }

  // Whether the handle may go on receiving; called when the reader has made room.
  CURL* handle() const noexcept { return handle_; }

 private:
  std::optional<milliseconds> finish(std::optional<Error> error) {
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

  std::optional<milliseconds> pause_before_next() {
    const RetryPolicy& retry = options_.retry;
    milliseconds pause = retry.first_pause;
    for (unsigned i = 1; i < tries_ && pause < retry.longest_pause; ++i) pause *= 2;
    static thread_local std::minstd_rand random{std::random_device{}()};
    std::uniform_real_distribution<double> jitter(0.5, 1.0);
    pause = milliseconds(static_cast<long>(static_cast<double>(pause.count()) * jitter(random)));
    return std::min(std::max(pause, retry_after(head_)), retry.longest_pause);
  }

  static size_t on_header(char* data, size_t size, size_t count, void* user) {
    auto& self = *static_cast<Transfer*>(user);
    return self.head_reader_.add(self.head_, {data, size * count}) ? size * count : 0;
  }
  static size_t on_body(char* data, size_t size, size_t count, void* user) {
    return static_cast<Transfer*>(user)->body({data, size * count});
  }

  // The whole piece, nothing (pause: it will come again), or an error.
  size_t body(std::string_view piece) {
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

  size_t expected_left() const {
    curl_off_t length = -1;
    curl().easy_getinfo(handle_, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (length < 0) return TransferOptions{}.piece;  // it does not say
    return static_cast<size_t>(std::max<curl_off_t>(length - static_cast<curl_off_t>(attempt_received_), 0));
  }

  // Whether a further answer begins where the one before broke off.
  bool continues(long status) const {
    return status == 206 &&
           header_of(head_, "content-range").starts_with(fmt::format("bytes {}-", received_));
  }

  void note_resumability() {
    can_resume_ =
        header_of(head_, "accept-ranges") == "bytes" && header_of(head_, "content-encoding").empty();
    validator_ = header_of(head_, "etag");
    if (validator_.starts_with("W/")) validator_.clear();  // weak: not good for ranges
    if (validator_.empty()) validator_ = header_of(head_, "last-modified");
  }

  Loop& loop_;
  const HttpRequest request_;
  TransferOptions options_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> blocks_;
  size_t buffered_ = 0;
  bool paused_ = false;
  bool done_ = false;
  bool abandoned_ = false;
  std::optional<Error> error_;
  HttpResponse shown_;

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

// What users hold: letting go of it abandons the transfer.
class Holder : public HttpTransfer {
 public:
  Holder(Loop& loop, std::shared_ptr<Transfer> transfer) : loop_(loop), transfer_(std::move(transfer)) {}
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  ~Holder() override {
    transfer_->abandon();
    loop_.wake();
  }
  bool read(std::string& piece) override { return transfer_->read(piece); }
  HttpResponse response() override { return transfer_->response(); }

 private:
  Loop& loop_;
  std::shared_ptr<Transfer> transfer_;
};

}  // namespace

struct HttpPool::State : Loop {
  State() {
    multi = curl().multi_init();
    epoll = Fd(::epoll_create1(EPOLL_CLOEXEC));
    event = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (multi == nullptr || !epoll || !event) fail(ErrorKind::internal, "starting the HTTP pool");
    watch(event.get(), EPOLLIN, EPOLL_CTL_ADD);
    curl().multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &on_socket);
    curl().multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
    curl().multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &on_timer);
    curl().multi_setopt(multi, CURLMOPT_TIMERDATA, this);
    curl().multi_setopt(multi, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_MULTIPLEX));
    curl().multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, connections_per_host);
    curl().multi_setopt(multi, CURLMOPT_MAXCONNECTS, 2 * connections_per_host);
    thread = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    thread.request_stop();
    wake();
    thread.join();
    const Error over(ErrorKind::unavailable, "the HTTP pool was closed");
    for (const auto& [transfer, handle] : active) {
      curl().multi_remove_handle(multi, handle);
      transfer->fail_with(over);
      curl().easy_cleanup(handle);
    }
    for (CURL* handle : idle) curl().easy_cleanup(handle);
    for (const auto& transfer : waiting) transfer->fail_with(over);
    for (const auto& [when, transfer] : later) transfer->fail_with(over);
    curl().multi_cleanup(multi);
  }

  void wake() override {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(event.get(), &one, sizeof one);
  }
  void ask_resume(Transfer* transfer) override {
    {
      const std::lock_guard lock(mutex);
      resumed.push_back(transfer);
    }
    wake();
  }

  void run(const std::stop_token& stop) {
    std::array<epoll_event, 64> events{};
    while (!stop.stop_requested()) {
      take_orders();
      start_waiting();
      const int count =
          ::epoll_wait(epoll.get(), events.data(), static_cast<int>(events.size()), time_to_wait());
      int running = 0;
      for (int i = 0; i < count; ++i) {
        const epoll_event& ready = events[static_cast<size_t>(i)];
        if (ready.data.fd == event.get()) {
          uint64_t value = 0;
          [[maybe_unused]] const ssize_t got = ::read(event.get(), &value, sizeof value);
          continue;
        }
        const int flags = ((ready.events & EPOLLIN) != 0U ? CURL_CSELECT_IN : 0) |
                          ((ready.events & EPOLLOUT) != 0U ? CURL_CSELECT_OUT : 0) |
                          ((ready.events & (EPOLLERR | EPOLLHUP)) != 0U ? CURL_CSELECT_ERR : 0);
        curl().multi_socket_action(multi, ready.data.fd, flags, &running);
      }
      if (timer && Clock::now() >= *timer) {
        timer.reset();
        curl().multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
      }
      collect_finished();
      drop_abandoned();
    }
  }

  void take_orders() {
    std::vector<Transfer*> now;
    {
      const std::lock_guard lock(mutex);
      while (!fresh.empty()) {
        waiting.push_back(std::move(fresh.front()));
        fresh.pop_front();
      }
      now.swap(resumed);
    }
    for (Transfer* transfer : now)  // one that is over in the meantime is no longer among them
      if (const auto found = std::ranges::find(active, transfer, [](const auto& a) { return a.first.get(); });
          found != active.end())
        curl().easy_pause(found->second, CURLPAUSE_CONT);
    while (!later.empty() && later.begin()->first <= Clock::now()) {
      waiting.push_back(std::move(later.begin()->second));
      later.erase(later.begin());
    }
  }

  void start_waiting() {
    while (!waiting.empty() && active.size() < transfers_at_once) {
      auto transfer = std::move(waiting.front());
      waiting.pop_front();
      if (transfer->abandoned()) {
        transfer->fail_with(Error(ErrorKind::unavailable, "abandoned"));
        continue;
      }
      CURL* handle = nullptr;
      if (idle.empty()) {
        handle = curl().easy_init();
      } else {
        handle = idle.back();
        idle.pop_back();
        curl().easy_reset(handle);
      }
      if (handle == nullptr) {
        transfer->fail_with(Error(ErrorKind::internal, "out of memory for libcurl"));
        continue;
      }
      try {
        transfer->begin(handle);
      } catch (const Error& error) {
        transfer->fail_with(error);
        idle.push_back(handle);
        continue;
      }
      active.emplace_back(std::move(transfer), handle);
      curl().multi_add_handle(multi, handle);
    }
  }

  int time_to_wait() const {
    std::optional<Clock::time_point> next = timer;
    if (!later.empty() && (!next || later.begin()->first < *next)) next = later.begin()->first;
    if (!next) return -1;
    const auto left = std::chrono::ceil<milliseconds>(*next - Clock::now()).count();
    return static_cast<int>(std::clamp<long>(left, 0, 60'000));
  }

  void collect_finished() {
    int left = 0;
    while (const CURLMsg* message = curl().multi_info_read(multi, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      finish(message->easy_handle, message->data.result);
    }
  }

  void finish(CURL* handle, CURLcode code) {
    const auto found = std::ranges::find(active, handle, [](const auto& a) { return a.second; });
    auto transfer = std::move(found->first);
    active.erase(found);
    // The answer's status is read from the handle before it is re-used.
    const auto pause = transfer->end(code);
    curl().multi_remove_handle(multi, handle);
    idle.push_back(handle);
    if (pause) later.emplace(Clock::now() + *pause, std::move(transfer));
  }

  void drop_abandoned() {
    for (size_t i = active.size(); i-- > 0;)
      if (active[i].first->abandoned()) finish(active[i].second, CURLE_ABORTED_BY_CALLBACK);
  }

  void watch(int fd, uint32_t events, int operation) const {
    epoll_event wanted{};
    wanted.events = events;
    wanted.data.fd = fd;
    if (::epoll_ctl(epoll.get(), operation, fd, &wanted) != 0 && operation == EPOLL_CTL_MOD &&
        errno == ENOENT)
      ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &wanted);
  }

  static int on_socket(CURL*, curl_socket_t fd, int what, void* user, void* known) {
    auto& state = *static_cast<State*>(user);
    if (what == CURL_POLL_REMOVE) {
      state.watch(fd, 0, EPOLL_CTL_DEL);
      return 0;
    }
    const uint32_t events = ((what & CURL_POLL_IN) != 0 ? uint32_t{EPOLLIN} : 0U) |
                            ((what & CURL_POLL_OUT) != 0 ? uint32_t{EPOLLOUT} : 0U);
    state.watch(fd, events, known == nullptr ? EPOLL_CTL_ADD : EPOLL_CTL_MOD);
    curl().multi_assign(state.multi, fd, &state);
    return 0;
  }
  static int on_timer(CURLM*, long timeout, void* user) {
    auto& timer = static_cast<State*>(user)->timer;
    if (timeout < 0)
      timer.reset();
    else
      timer = Clock::now() + milliseconds(timeout);
    return 0;
  }

  CURLM* multi = nullptr;
  Fd epoll;
  Fd event;
  std::optional<Clock::time_point> timer;
  std::vector<std::pair<std::shared_ptr<Transfer>, CURL*>> active;
  std::vector<CURL*> idle;
  std::deque<std::shared_ptr<Transfer>> waiting;
  std::multimap<Clock::time_point, std::shared_ptr<Transfer>> later;
  pid_t owner = ::getpid();

  std::mutex mutex;
  std::deque<std::shared_ptr<Transfer>> fresh;
  std::vector<Transfer*> resumed;
  std::jthread thread;  // last: it uses all of the above
};

HttpPool::HttpPool() : state_(std::make_unique<State>()) {}
HttpPool::~HttpPool() = default;

HttpPool& HttpPool::shared() {
  // Never destroyed: a transfer may outlive every static object. After a fork the thread is the parent's
  // only.
  static std::mutex mutex;
  static HttpPool* pool = nullptr;
  const std::lock_guard lock(mutex);
  if (pool == nullptr || pool->state_->owner != ::getpid()) pool = new HttpPool;
  return *pool;
}

std::shared_ptr<HttpTransfer> HttpPool::start(HttpRequest request, TransferOptions options) {
  auto transfer = std::make_shared<Transfer>(*state_, std::move(request), std::move(options));
  {
    const std::lock_guard lock(state_->mutex);
    state_->fresh.push_back(transfer);
  }
  state_->wake();
  return std::make_shared<Holder>(*state_, std::move(transfer));
}

}  // namespace flox
