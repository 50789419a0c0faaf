#include "shim/task/publisher.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <chrono>

#include "base/error.h"
#include "shim/io/shim_log.h"
#include "shim/protocol/events.ttrpc.h"
#include "shim/protocol/time.h"

namespace flox::shim {
namespace {

using containerd::services::events::ttrpc::v1::Events;

constexpr size_t queue_limit = 2048;
constexpr Milliseconds attempt_limit{5000};
constexpr int refusals_limit = 5;

}  // namespace

Publisher::Publisher(Executor executor, const std::string& address, std::string namespace_name)
    : executor_(executor),
      namespace_(std::move(namespace_name)),
      drained_(std::make_shared<Event>(executor)) {
  if (!address.empty()) client_ = std::make_unique<ttrpc::Client>(executor, address);
  drained_->set();
}

void Publisher::enqueue(const char* topic, const char* type, std::string bytes) {
  if (!client_) return;
  wire::ForwardRequest request;
  wire::Envelope& envelope = *request.mutable_envelope();
  *envelope.mutable_timestamp() = timestamp_of(std::chrono::system_clock::now());
  envelope.set_namespace_(namespace_);
  envelope.set_topic(topic);
  envelope.mutable_event()->set_type_url(type);
  envelope.mutable_event()->set_value(std::move(bytes));
  queue_.push_back(std::move(request));
  if (queue_.size() > queue_limit) {
    log_warning("dropping the oldest of {} events that containerd did not take", queue_.size());
    queue_.pop_front();
  }
  if (!drained_->is_set()) return;  // the sender is at work
  drained_ = std::make_shared<Event>(executor_);
  asio::co_spawn(executor_, send_all(), asio::detached);
}

asio::awaitable<void> Publisher::send_all() {
  while (!queue_.empty()) {
    const wire::ForwardRequest request = std::move(queue_.front());
    queue_.pop_front();
    int refusals = 0;
    for (int attempt = 0;; ++attempt) {
      bool refused = false;
      try {
        co_await client_->call(Events::Forward, request, attempt_limit);
        break;
      } catch (const Error& error) {
        refused = error.kind() != ErrorKind::unavailable;
        if (attempt > 0) log_warning("sending an event to containerd: {}", error.what());
      }
      if (refused && ++refusals == refusals_limit) break;
      // The first failure is most often a connection that broke while idle; after that containerd is away.
      if (attempt > 0) co_await pause_for(Milliseconds(std::min(attempt, 5) * 200));
    }
  }
  drained_->set();
}

asio::awaitable<void> Publisher::flush(Milliseconds limit) {
  std::shared_ptr<Event> drained = drained_;  // a later event makes a new one
  co_await drained->wait_for(limit);
}

}  // namespace flox::shim
