// The worker's figures, in Prometheus' text format. Names begin with "ticket_"; docs/reference/metrics.md
// lists them.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/error.h"

namespace ticket {

using Seconds = std::chrono::duration<double>;

// What a failure of this kind is called in labels and logs: "unavailable", "access_denied", …
const char* reason_of(flox::ErrorKind kind) noexcept;

// Thread-safe.
class Metrics {
 public:
  Metrics();
  ~Metrics();

  // What runs; told once.
  void build(const std::string& version, const std::string& model_version);
  // A model was loaded in that time, mapped from a prepared file or packed here, or is missing.
  void model_loaded(const std::string& id, Seconds time, bool prepared);
  void model_missing(const std::string& id);

  void processed();
  void duplicate();
  void failed(const std::string& reason);
  void fell_back(const std::string& field);  // a rule stood in for a model that failed
  void ignored();                            // a message that asked for nothing
  void moved_aside();                        // a message kept under failed/ and removed from the queue
  void returned(size_t messages);            // given back to the queue unfinished
  void batch(size_t messages);               // of one poll
  void enriched_together(size_t tickets);    // by one pass through the models
  // `reason`: why a batch began, as BatchScheduler::Reason; "alone" and "in_turn" without the scheduler.
  void batch_begun(const char* reason);
  void waiting_tickets(size_t tickets);  // fetched, for the models
  void in_flight(size_t messages);
  void poll(Seconds time);
  void queue_age(Seconds time);  // from sending to the first delivery
  void queue_lag(Seconds time);  // the same, of the oldest message of the latest poll
  void queue_depth(long waiting, long hidden);
  // A call to a service failed for good, after its retries. `operation`: "poll", "fetch", "store_object", …
  void error(const std::string& operation, flox::ErrorKind kind);
  // `stage`: "fetch", "enrich", "embedding", "sentiment", "summary", "store_object", "store_item" or
  // "delete".
  void stage(const std::string& stage, Seconds time);

  std::string text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Times a stage from its making to its end.
class StageTimer {
 public:
  StageTimer(Metrics& metrics, const char* stage) : metrics_(metrics), stage_(stage) {}
  ~StageTimer() { metrics_.stage(stage_, std::chrono::steady_clock::now() - begin_); }
  StageTimer(const StageTimer&) = delete;
  StageTimer& operator=(const StageTimer&) = delete;

 private:
  Metrics& metrics_;
  const char* stage_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace ticket
