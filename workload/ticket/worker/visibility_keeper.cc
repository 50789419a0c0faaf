#include "ticket/worker/visibility_keeper.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "ticket/event_log.h"

namespace ticket {

VisibilityKeeper::VisibilityKeeper(Queue& queue, std::chrono::milliseconds visibility)
    : queue_(queue), visibility_(visibility), thread_([this] { run(); }) {}

VisibilityKeeper::~VisibilityKeeper() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void VisibilityKeeper::hold(const std::vector<Message>& messages) {
  std::lock_guard lock(mutex_);
  for (const Message& message : messages) receipts_.insert(message.receipt);
  changed_.notify_all();
}

void VisibilityKeeper::let_go(const std::vector<std::string>& receipts) {
  std::unique_lock lock(mutex_);
  for (const std::string& receipt : receipts) receipts_.erase(receipt);
  changed_.wait(lock, [this] { return !calling_; });
}

size_t VisibilityKeeper::held() const {
  std::lock_guard lock(mutex_);
  return receipts_.size();
}

void VisibilityKeeper::run() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    if (receipts_.empty()) {
      changed_.wait(lock, [this] { return ending_ || !receipts_.empty(); });
      continue;
    }
    if (changed_.wait_for(lock, visibility_ / 3, [this] { return ending_; })) return;
    std::vector<std::string> receipts(receipts_.begin(), receipts_.end());
    if (receipts.empty()) continue;
    calling_ = true;
    lock.unlock();
    try {
      auto seconds = std::max(std::chrono::ceil<std::chrono::seconds>(visibility_), std::chrono::seconds(1));
      queue_.set_visibility(receipts, seconds);
    } catch (const flox::Error& error) {
      log_event(Level::warning, "the messages in hand could not be kept hidden", {{"error", error.what()}});
    }
    lock.lock();
    calling_ = false;
    changed_.notify_all();
  }
}

}  // namespace ticket
