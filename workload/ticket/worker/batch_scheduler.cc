#include "ticket/worker/batch_scheduler.h"

#include <algorithm>

namespace ticket {

using Reason = BatchScheduler::Reason;

const char* to_string(Reason reason) noexcept {
  switch (reason) {
    case Reason::full:
      return "full";
    case Reason::deadline:
      return "deadline";
    case Reason::drained:
      return "drained";
  }
  return "drained";
}

size_t BatchScheduler::tickets() const noexcept {
  size_t count = 0;
  for (const Entry& entry : waiting_) count += entry.tickets;
  return count;
}

bool BatchScheduler::is_full() const noexcept {
  size_t characters = 0;
  for (const Entry& entry : waiting_) characters += entry.characters;
  return tickets() >= rules_.tickets || characters >= rules_.characters;
}

std::optional<Reason> BatchScheduler::ready(Time now, bool queue_has_more) const {
  if (waiting_.empty()) return std::nullopt;
  if (is_full()) return Reason::full;
  if (!queue_has_more) return Reason::drained;
  if (now - waiting_.front().arrived >= rules_.wait) return Reason::deadline;
  return std::nullopt;
}

std::vector<uint64_t> BatchScheduler::take() {
  const Entry oldest = waiting_.front();
  auto distance = [&](const Entry& entry) {
    return entry.characters < oldest.characters ? oldest.characters - entry.characters
                                                : entry.characters - oldest.characters;
  };
  // The oldest has none, and stays in front of others that have none.
  std::vector<Entry> nearest = waiting_;
  std::ranges::stable_sort(nearest, {}, distance);
  std::vector<uint64_t> batch;
  size_t tickets = 0, characters = 0;
  for (const Entry& entry : nearest) {
    if (!batch.empty() &&
        (tickets + entry.tickets > rules_.tickets || characters + entry.characters > rules_.characters))
      continue;
    batch.push_back(entry.id);
    tickets += entry.tickets;
    characters += entry.characters;
  }
  std::erase_if(waiting_,
                [&](const Entry& entry) { return std::ranges::find(batch, entry.id) != batch.end(); });
  return batch;
}

}  // namespace ticket
