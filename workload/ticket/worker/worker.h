// The worker: poll the queue; get the raw tickets that the messages name; enrich them together; store each;
// delete each message of which all is stored.
//
// Dying anywhere leaves messages that come again after their visibility time-out; worker/ticket_store.h sees
// to it that no ticket is stored twice. A ticket that was enriched by a worker that died is not enriched
// again.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "ticket/backend/backend.h"
#include "ticket/pipeline/enricher.h"
#include "ticket/stop.h"
#include "ticket/worker/failed_messages.h"
#include "ticket/worker/health.h"
#include "ticket/worker/metrics.h"
#include "ticket/worker/settings.h"
#include "ticket/worker/ticket_store.h"
#include "ticket/worker/visibility_keeper.h"

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
  // How a record, and with its worst record a message, ended. In order of precedence.
  enum class Outcome {
    done,      // to be deleted
    rejected,  // its content can never be processed
    failed,    // something else went wrong: worth another delivery
    dropped,   // the grace was over: give it back at once
  };
  struct Job;       // one record on its way
  struct Delivery;  // one message with its jobs

  std::optional<std::vector<Message>> poll();
  void look_at_queue(const std::vector<Message>& messages);
  bool process_batch(const std::vector<Message>& messages, const Limits& limits);
  void process_together(std::vector<Delivery>& deliveries, std::vector<std::string>& to_return);
  Delivery open(const Message& message);
  void reject(Delivery& delivery, const char* reason, const std::string& problem);
  bool is_suspect(const Message& message) const;
  bool begin(Delivery& delivery);
  void fetch(Job& job);
  void enrich(std::vector<Job*> jobs);
  std::vector<EnrichedOrError> run_models(const std::vector<RawTicket>& tickets);
  void store(Job& job);
  template <typename Step>
  void attempt(Job& job, const Step& step);
  void settle(Delivery& delivery, std::vector<std::string>& to_return);
  void give_back(const std::vector<std::string>& receipts);
  bool move_aside(const Message& message, const std::string& problem);
  void hide_for_retry(const Message& message);
  void remove(const Message& message);
  EnrichmentEvents enrichment_events();

  const Settings& settings_;
  QueueTraits traits_;
  Parts parts_;
  VisibilityKeeper keeper_;
  Enricher enricher_;
  TicketStore tickets_;
  FailedMessages failed_messages_;
  Summary summary_;
  std::chrono::steady_clock::time_point depth_seen_{};
};

}  // namespace ticket
