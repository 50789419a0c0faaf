// Which of the tickets that wait go through the models together, and when.
//
// Tickets of about one length together: what the models compute at once then ends at once. The oldest is
// always among them, so that none waits for more batches than there are tickets before it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

namespace ticket {

class BatchScheduler {
 public:
  using Time = std::chrono::steady_clock::time_point;

  struct Rules {
    size_t tickets = 10;  // of a batch: with more a ticket takes as long (docs/measurements/ticket-models.md)
    size_t characters = 8192;  // of their texts: what the summarizer takes at once, 2048 tokens or so
    std::chrono::milliseconds wait{0};  // that a ticket waits for others while the models have nothing to do
  };
  // A message: its tickets stay together.
  struct Entry {
    uint64_t id = 0;
    size_t tickets = 1;
    size_t characters = 0;
    Time arrived{};
  };
  enum class Reason {
    full,      // a batch's tickets or characters are there
    deadline,  // the oldest has waited long enough
    drained    // the queue has no more
  };

  explicit BatchScheduler(const Rules& rules) : rules_(rules) {}

  void add(const Entry& entry) { waiting_.push_back(entry); }
  size_t tickets() const noexcept;
  bool empty() const noexcept { return waiting_.empty(); }

  // Why the next batch begins now; nothing if it is better to ask the queue for more first.
  std::optional<Reason> ready(Time now, bool queue_has_more) const;
  // Whether a batch's worth waits.
  bool is_full() const noexcept;
  // The ids of the next batch, the oldest first, at least one; they wait no more. Something must wait.
  std::vector<uint64_t> take();

 private:
  Rules rules_;
  std::vector<Entry> waiting_;  // in order of arrival
};

const char* to_string(BatchScheduler::Reason reason) noexcept;

}  // namespace ticket
