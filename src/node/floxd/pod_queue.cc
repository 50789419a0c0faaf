#include "node/floxd/pod_queue.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "ttrpc/status.h"

namespace flox::node {

namespace asio = boost::asio;

namespace {

constexpr size_t waiting_per_running = 8;

}  // namespace

struct PodQueue::Job {
  Job(std::string whose, std::function<void()> what, const asio::any_io_executor& executor,
      asio::steady_timer::time_point deadline)
      : tenant(std::move(whose)), work(std::move(what)), done(executor, deadline) {}

  void run() {
    try {
      work();
    } catch (...) {
      error = std::current_exception();
    }
    work = nullptr;
  }

  const std::string tenant;
  std::function<void()> work;
  std::exception_ptr error;
  // Of the asker's, used on its executor only.
  asio::steady_timer done;
  bool finished = false;
};

asio::awaitable<void> PodQueue::run_to_end(std::string pod, std::string tenant, std::function<void()> work) {
  auto executor = co_await asio::this_coro::executor;
  const auto deadline = limits_.pod_request_time.count() == 0
                            ? asio::steady_timer::time_point::max()
                            : asio::steady_timer::clock_type::now() + limits_.pod_request_time;
  auto job = std::make_shared<Job>(std::move(tenant), std::move(work), executor, deadline);
  add(pod, job);
  boost::system::error_code ignored;
  if (!job->finished) co_await job->done.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  if (!job->finished) {
    {
      const std::scoped_lock lock(mutex_);
      if (const auto found = pods_.find(pod); found != pods_.end()) std::erase(found->second.waiting, job);
    }
    metrics_.refused(Budget::time);
    ttrpc::fail_status(ttrpc::Code::deadline_exceeded,
                       "the request took longer than {} s, which a pod's may take (pod_request_time)",
                       limits_.pod_request_time.count());
  }
  if (job->error) std::rethrow_exception(job->error);
}

void PodQueue::add(const std::string& pod, const std::shared_ptr<Job>& job) {
  const std::scoped_lock lock(mutex_);
  const auto found = pods_.find(pod);
  const size_t waiting = found == pods_.end() ? 0 : found->second.waiting.size();
  const size_t running = found == pods_.end() ? 0 : found->second.running;
  if (limits_.pod_requests == 0 || running < limits_.pod_requests) return start(pod, job);
  if (waiting >= limits_.pod_requests * waiting_per_running) {
    metrics_.refused(Budget::requests);
    ttrpc::fail_status(
        ttrpc::Code::resource_exhausted,
        "{} requests of this pod are under way and {} wait: it may have no more (pod_requests)\n"
        "Try again when some of them have been answered.",
        running, waiting);
  }
  pods_[pod].waiting.push_back(job);
}

void PodQueue::start(const std::string& pod, const std::shared_ptr<Job>& job) {
  ++pods_[pod].running;
  threads_.post(job->tenant, [this, pod, job] {
    job->run();
    ended(pod);
    asio::post(job->done.get_executor(), [job] {
      job->finished = true;
      job->done.cancel();
    });
  });
}

void PodQueue::ended(const std::string& pod) {
  const std::scoped_lock lock(mutex_);
  Pod& own = pods_.at(pod);
  --own.running;
  if (!own.waiting.empty()) {
    const std::shared_ptr<Job> next = std::move(own.waiting.front());
    own.waiting.pop_front();
    start(pod, next);
  } else if (own.running == 0) {
    pods_.erase(pod);
  }
}

std::pair<size_t, size_t> PodQueue::requests() const {
  const std::scoped_lock lock(mutex_);
  size_t all = 0, most = 0;
  for (const auto& [name, pod] : pods_) {
    const size_t has = pod.running + pod.waiting.size();
    all += has;
    most = std::max(most, has);
  }
  return {all, most};
}

}  // namespace flox::node
