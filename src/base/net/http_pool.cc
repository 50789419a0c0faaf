#include "base/net/http_pool.h"

#include <unistd.h>

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/net/http_transfer.h"

namespace flox {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// What users hold: letting go of it abandons the transfer.
class Holder : public HttpTransfer {
 public:
  Holder(PoolLoop& loop, std::shared_ptr<PoolTransfer> transfer)
      : loop_(loop), transfer_(std::move(transfer)) {}
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  ~Holder() override {
    transfer_->abandon();
    loop_.wake();
  }
  bool read(std::string& piece) override { return transfer_->read(piece); }
  HttpResponse response() override { return transfer_->response(); }
  bool is_over() const override { return transfer_->is_over(); }

 private:
  PoolLoop& loop_;
  std::shared_ptr<PoolTransfer> transfer_;
};

}  // namespace

struct HttpPool::State : PoolLoop {
  State() {
    multi = curl().multi_init();
    if (multi == nullptr) fail(ErrorKind::internal, "starting the HTTP pool");
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

  void wake() override { curl().multi_wakeup(multi); }
  void ask_resume(PoolTransfer* transfer) override {
    {
      const std::lock_guard lock(mutex);
      resumed.push_back(transfer);
    }
    wake();
  }

  // libcurl's own poll(2): an epoll loop around its sockets took the same time of the processor (1,500 tiny
  // paths 0.89 s for 0.88, a closure of 67 MB 1.87 s for 1.80: medians of seven).
  void run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      take_orders();
      start_waiting();
      int running = 0;
      curl().multi_perform(multi, &running);
      collect_finished();
      drop_abandoned();
      // What has ended may have made room.
      if (waiting.empty() || active.size() >= transfers_at_once)
        curl().multi_poll(multi, nullptr, 0, time_to_wait(), nullptr);
    }
  }

  void take_orders() {
    std::vector<PoolTransfer*> now;
    {
      const std::lock_guard lock(mutex);
      while (!fresh.empty()) {
        waiting.push_back(std::move(fresh.front()));
        fresh.pop_front();
      }
      now.swap(resumed);
    }
    for (PoolTransfer* transfer : now)  // one that is over in the meantime is no longer among them
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
      if (transfer->is_abandoned()) {
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

  // Until the next attempt is due, in milliseconds; libcurl knows its own times.
  int time_to_wait() const {
    if (later.empty()) return 60'000;
    const auto left = std::chrono::ceil<milliseconds>(later.begin()->first - Clock::now()).count();
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
      if (active[i].first->is_abandoned()) finish(active[i].second, CURLE_ABORTED_BY_CALLBACK);
  }

  CURLM* multi = nullptr;
  std::vector<std::pair<std::shared_ptr<PoolTransfer>, CURL*>> active;
  std::vector<CURL*> idle;
  std::deque<std::shared_ptr<PoolTransfer>> waiting;
  std::multimap<Clock::time_point, std::shared_ptr<PoolTransfer>> later;
  pid_t owner = ::getpid();

  std::mutex mutex;
  std::deque<std::shared_ptr<PoolTransfer>> fresh;
  std::vector<PoolTransfer*> resumed;
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
  auto transfer = std::make_shared<PoolTransfer>(*state_, std::move(request), std::move(options));
  {
    const std::lock_guard lock(state_->mutex);
    state_->fresh.push_back(transfer);
  }
  state_->wake();
  return std::make_shared<Holder>(*state_, std::move(transfer));
}

}  // namespace flox
