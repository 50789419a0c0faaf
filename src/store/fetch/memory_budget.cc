#include "store/fetch/memory_budget.h"

#include <algorithm>

#include "base/error.h"

namespace flox::store {

std::optional<MemoryBudget::Grant> MemoryBudget::take(uint64_t bytes) {
  if (bytes > size_)
    fail(ErrorKind::unavailable, "it needs {} MiB of memory, and {} MiB are allowed", bytes >> 20,
         size_ >> 20);
  std::unique_lock lock(mutex_);
  const uint64_t number = next_++;
  changed_.wait(lock, [&] { return closed_ || (number == serving_ && used_ + bytes <= size_); });
  if (closed_) return std::nullopt;
  ++serving_;
  changed_.notify_all();  // there may be room for the next one, too
  return grant(bytes);
}

std::optional<MemoryBudget::Grant> MemoryBudget::try_take(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (closed_ || next_ != serving_ || used_ + bytes > size_) return std::nullopt;
  return grant(bytes);
}

void MemoryBudget::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
}

uint64_t MemoryBudget::peak() const {
  const std::lock_guard lock(mutex_);
  return peak_;
}

MemoryBudget::Grant MemoryBudget::grant(uint64_t bytes) {
  used_ += bytes;
  peak_ = std::max(peak_, used_);
  return {this, bytes};
}

void MemoryBudget::give_back(uint64_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    used_ -= bytes;
  }
  changed_.notify_all();
}

}  // namespace flox::store
