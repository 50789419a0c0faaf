// How fast what is prefetched comes: within a rate, and not at all while a pod waits for something else.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>

namespace flox::node {

// Thread-safe.
class Pace {
 public:
  // Bytes a second, of all that is prefetched together; 0: no limit.
  explicit Pace(uint64_t rate) : rate_(rate) {}

  // Returns when so many bytes may be read, or soon after `is_over`.
  void allow(uint64_t bytes, const std::function<bool()>& is_over);

  // While there is one, something urgent is being fetched, and what is prefetched waits.
  class Urgent {
   public:
    explicit Urgent(Pace& pace) : pace_(&pace) { pace_->begin(); }
    Urgent(const Urgent&) = delete;
    Urgent& operator=(const Urgent&) = delete;
    ~Urgent() { pace_->end(); }

   private:
    Pace* pace_;
  };

  // Something urgent waits for what is being prefetched: for a few seconds that comes as fast as it can.
  void hurry();

 private:
  using Clock = std::chrono::steady_clock;
  void begin();
  void end();

  const uint64_t rate_;
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t urgent_ = 0;
  Clock::time_point hurried_until_;
  Clock::time_point next_;  // when the next bytes may be read
};

}  // namespace flox::node
