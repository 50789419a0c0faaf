// The worker: poll the queue, and for each message get the raw ticket, enrich it, store the object, store the
// item, delete the message.
//
// A ticket is stored exactly once, whatever is delivered twice and whoever dies where:
//  1. The object is written only if there is none under its key. If there is one of the same ticket, a worker
//  came
//     this far before: its object is kept, and the item is made from it, so that object and item always
//     agree.
//  2. The item is written only if there is none. If there is one the ticket was complete: a duplicate.
//  3. The message is deleted after both. Dying before leaves a message that goes through 1 and 2 again.
// Two workers with the same ticket at once meet at 1 and at 2, where the store and the table let one of them
// win.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "ticket/backend/backend.h"
#include "ticket/stop.h"
#include "ticket/worker/metrics.h"
#include "ticket/worker/settings.h"
#include "ticket/worker/visibility_keeper.h"

namespace ticket {

struct RawTicket;

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
};

class Worker {
 public:
  struct Parts {
    Queue& queue;
    ObjectStore& store;
    Table& table;
    Metrics& metrics;
    Stop& stop;
  };
  // `traits` are the queue's. The parts must outlive the worker.
  Worker(const Settings& settings, const QueueTraits& traits, Parts parts);

  // Works until a stop is requested or a limit is reached. Failures of tickets and of services are logged,
  // counted and tried again; none ends it.
  Summary run(const Limits& limits);

 private:
  // How one message ended.
  enum class Outcome {
    done,      // to be deleted
    rejected,  // its content can never be processed
    failed,    // something else went wrong: worth another delivery
    dropped,   // the grace was over: give it back at once
  };

  std::optional<std::vector<Message>> poll();
  bool process_batch(const std::vector<Message>& messages, const Limits& limits);
  void process_message(const Message& message, std::vector<std::string>& to_return);
  Outcome process_records(const Message& message, std::string& problem);
  Outcome process_ticket(const Message& message, const std::string& bucket, const std::string& key,
                         std::string& problem);
  // Whether it was stored now (false: a duplicate). Throws.
  bool store(const RawTicket& ticket);
  bool move_aside(const Message& message, const std::string& problem);
  void hide_for_retry(const Message& message);
  void remove(const Message& message);

  const Settings& settings_;
  QueueTraits traits_;
  Parts parts_;
  VisibilityKeeper keeper_;
  Summary summary_;
};

}  // namespace ticket
