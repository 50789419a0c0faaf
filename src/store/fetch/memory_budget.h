// Memory that several threads share: who needs much of it at once waits until others have given theirs back.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

namespace flox::store {

// Thread-safe; outlives its grants. It counts, and allocates nothing.
//
// A thread must hold nothing when it takes a grant that a holder of another one may need, no other grant
// either: then every holder can go on to its end, and every waiter gets its turn.
class MemoryBudget {
 public:
  explicit MemoryBudget(uint64_t size) : size_(size) {}  // bytes
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  // Given back when it goes.
  class Grant {
   public:
    Grant(Grant&& other) noexcept : budget_(std::exchange(other.budget_, nullptr)), bytes_(other.bytes_) {}
    Grant& operator=(Grant&& other) noexcept {
      std::swap(budget_, other.budget_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Grant() {
      if (budget_ != nullptr) budget_->give_back(bytes_);
    }

   private:
    friend class MemoryBudget;
    Grant(MemoryBudget* budget, uint64_t bytes) : budget_(budget), bytes_(bytes) {}
    MemoryBudget* budget_;
    uint64_t bytes_;
  };

  // Waits until so much is free. First come, first served: whoever wants much is not passed by those who want
  // little. Nothing once the budget is closed. Throws Error(unavailable) for more than it has in all.
  std::optional<Grant> take(uint64_t bytes);
  // Nothing if that would mean waiting.
  std::optional<Grant> try_take(uint64_t bytes);
  // Wakes who waits, for good.
  void close();

  uint64_t size() const noexcept { return size_; }
  // The most that was taken at once.
  uint64_t peak() const;

 private:
  Grant grant(uint64_t bytes);
  void give_back(uint64_t bytes);

  const uint64_t size_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t used_ = 0;
  uint64_t peak_ = 0;
  uint64_t next_ = 0;     // number of the next who comes
  uint64_t serving_ = 0;  // number of who is next
  bool closed_ = false;
};

}  // namespace flox::store
