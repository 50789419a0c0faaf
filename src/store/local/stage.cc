#include "store/local/stage.h"

namespace flox::store {

Stage::Stage(std::function<void(std::string_view)> consume, size_t depth)
    : consume_(std::move(consume)), depth_(depth), thread_([this] { run(); }) {}

Stage::~Stage() {
  {
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Stage::push(std::shared_ptr<const std::string> block) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return error_ || blocks_.size() < depth_; });
  if (error_) std::rethrow_exception(error_);
  blocks_.push_back(std::move(block));
  lock.unlock();
  changed_.notify_all();
}

void Stage::finish() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  thread_.join();
  if (error_) std::rethrow_exception(error_);
}

void Stage::run() {
  for (;;) {
    std::shared_ptr<const std::string> block;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return abandoned_ || ended_ || !blocks_.empty(); });
      if (abandoned_ || blocks_.empty()) return;
      block = std::move(blocks_.front());
      blocks_.pop_front();
    }
    changed_.notify_all();
    try {
      consume_(*block);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      error_ = std::current_exception();
      changed_.notify_all();
      return;
    }
  }
}

}  // namespace flox::store
