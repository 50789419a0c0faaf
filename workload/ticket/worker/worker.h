// The worker: poll the queue; get the raw tickets that the messages name; enrich them together; store each;
// delete each message of which all is stored.
//
// The models have the processors, the services the network: while a batch is computed, the one before it is
// stored and the tickets of the next one are fetched. Messages that came back are processed alone, with
// nothing else in hand (worker/failed_messages.h).
//
// Dying anywhere leaves messages that come again after their visibility time-out; worker/ticket_store.h sees
// to it that no ticket is stored twice. A ticket that was enriched by a worker that died is not enriched
// again.
#pragma once

#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ticket/backend/backend.h"
#include "ticket/stop.h"
#include "ticket/worker/batch_scheduler.h"
#include "ticket/worker/delivery.h"
#include "ticket/worker/health.h"
#include "ticket/worker/inbox.h"
#include "ticket/worker/metrics.h"
#include "ticket/worker/settings.h"
#include "ticket/worker/ticket_steps.h"

namespace ticket {

// When to end besides a request to stop.
struct Limits {
  std::optional<long> max_tickets;  // tickets processed
  bool once = false;                // after one poll and its messages
  bool until_empty = false;         // after a poll that brought nothing
};

struct Summary {
  long processed = 0;
  long duplicates = 0;
  long failed = 0;    // attempts
  long returned = 0;  // messages given back to the queue unfinished
  double seconds = 0;
  nlohmann::ordered_json to_json() const;  // with tickets_per_second
};

class Worker {
 public:
  struct Parts {
    Queue& queue;
    ObjectStore& store;
    Table& table;
    const Models& models;
    Metrics& metrics;
    Health& health;
    Stop& stop;
  };
  // `traits` are the queue's. The parts must outlive the worker.
  Worker(const Settings& settings, const QueueTraits& traits, Parts parts);

  // Works until a stop is requested or a limit is reached. Failures of tickets and of services are logged,
  // counted and tried again; none ends it. What does end the process holds the other messages up for three
  // deliveries at most (worker/failed_messages.h).
  Summary run(const Limits& limits);

 private:
  void work_in_turn(const Limits& limits);
  void work_ahead(const Limits& limits);
  bool gather(bool ahead);
  void accept(std::vector<Message> messages);
  Deliveries take_batch();
  void run_batch(Deliveries batch, std::future<void>& storing);
  void finish(Deliveries& batch);
  void give_back_unbegun();
  void rest(bool healthy);
  bool process_batch(const std::vector<Message>& messages, const Limits& limits);
  void process_together(std::vector<Delivery>& deliveries, std::vector<std::string>& to_return);

  const Settings& settings_;
  Parts parts_;
  Counts counts_;
  Inbox inbox_;
  TicketSteps steps_;
  int failures_in_a_row_ = 0;

  // Between two batches the loop's own; while one is computed, those of the thread that looks ahead.
  BatchScheduler scheduler_;
  std::map<uint64_t, Delivery> waiting_;
  std::vector<Message> set_apart_;  // messages to be processed alone
  bool queue_has_more_ = false;     // than what waits, as far as the latest poll tells
  uint64_t next_id_ = 0;
};

}  // namespace ticket
