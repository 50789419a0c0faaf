#include "node/floxd/prefetch_disk.h"

#include <algorithm>
#include <utility>

namespace flox::node {

PrefetchDisk::PrefetchDisk(Apply apply) : apply_(std::move(apply)), thread_([this] { work(); }) {}

PrefetchDisk::~PrefetchDisk() {
  {
    const std::scoped_lock lock(mutex_);
    ends_ = true;
  }
  given_.notify_all();
  thread_.join();
}

PrefetchDisk::Change& PrefetchDisk::change_of(const std::string& key) {
  const auto [found, is_new] = waiting_.try_emplace(key);
  if (is_new) order_.push_back(key);
  given_.notify_all();
  return found->second;
}

void PrefetchDisk::write(const PrefetchRecord& record) {
  const std::scoped_lock lock(mutex_);
  Change& change = change_of(record.key());
  change.written = record;
  change.removed.clear();
}

void PrefetchDisk::remove(const PrefetchRecord& record) {
  const std::scoped_lock lock(mutex_);
  Change& change = change_of(record.key());
  change.written.reset();
  change.removed = record.environment;
  change.ended.insert({record.holder(), record.next_holder()});
}

void PrefetchDisk::end_lease(const std::string& key, const std::string& holder) {
  const std::scoped_lock lock(mutex_);
  change_of(key).ended.insert(holder);
}

void PrefetchDisk::wait_for(const std::vector<std::string>& keys) {
  std::unique_lock lock(mutex_);
  const std::set<std::string> wanted(keys.begin(), keys.end());
  std::stable_partition(order_.begin(), order_.end(),
                        [&](const std::string& key) { return wanted.contains(key); });
  done_.wait(lock, [&] {
    return std::ranges::none_of(
        wanted, [&](const std::string& key) { return key == under_way_ || waiting_.contains(key); });
  });
}

void PrefetchDisk::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    given_.wait(lock, [&] { return ends_ || !order_.empty(); });
    if (order_.empty()) return;
    under_way_ = order_.front();
    order_.pop_front();
    const Change change = std::move(waiting_.extract(under_way_).mapped());
    lock.unlock();
    apply_(under_way_, change);
    lock.lock();
    under_way_.clear();
    done_.notify_all();
  }
}

}  // namespace flox::node
