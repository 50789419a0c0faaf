// The queue as the worker sees it: what arrives, which tickets it names, and what becomes of each message in
// the end: deleted, hidden for a while, given back, or moved aside (worker/failed_messages.h).
//
// Its calls may come from the threads of all stages at once, each with its own messages; only `poll` is for
// one thread at a time. But for `poll`, a service that fails is logged and counted, and the message comes
// again.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ticket/stop.h"
#include "ticket/worker/delivery.h"
#include "ticket/worker/failed_messages.h"
#include "ticket/worker/health.h"
#include "ticket/worker/metrics.h"
#include "ticket/worker/settings.h"
#include "ticket/worker/visibility_keeper.h"

namespace ticket {

class Inbox {
 public:
  struct Parts {
    Queue& queue;
    ObjectStore& store;  // for messages that are moved aside
    Metrics& metrics;
    Health& health;
    Stop& stop;
    Counts& counts;
  };
  // `traits` are the queue's. All else must outlive it.
  Inbox(const Settings& settings, const QueueTraits& traits, Parts parts);

  // The next messages, waiting for the first as long as this; none, if the queue failed or a stop cut the
  // wait off.
  std::optional<std::vector<Message>> poll(std::chrono::seconds wait);
  // Hides them from others until they are settled or given back.
  void hold(const std::vector<Message>& messages) { keeper_.hold(messages); }
  size_t held() const { return keeper_.held(); }

  // The message with a job for each record; without jobs, and rejected, if it cannot be read or has ended
  // workers before.
  Delivery open(std::shared_ptr<const Message> message);
  // Each record stood for itself; the message's outcome is that of its worst one. Receipts of what is to be
  // given back are added to `to_return`.
  void settle(Delivery& delivery, std::vector<std::string>& to_return);
  // Others get them at once.
  void give_back(const std::vector<std::string>& receipts);

 private:
  void look_at_queue(const std::vector<Message>& messages);
  bool is_suspect(const Message& message) const;
  bool begin(Delivery& delivery);
  void reject(Delivery& delivery, const char* reason, const std::string& problem);
  bool move_aside(const Message& message, const std::string& problem);
  void hide_for_retry(const Message& message);
  void remove(const Message& message);

  const Settings& settings_;
  QueueTraits traits_;
  Parts parts_;
  VisibilityKeeper keeper_;
  FailedMessages failed_messages_;
  std::chrono::steady_clock::time_point depth_seen_{};
};

}  // namespace ticket
