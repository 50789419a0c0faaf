// The worker's figures, in Prometheus' text format. Names begin with "ticket_"; docs/ticket-workload.md lists
// them.
#pragma once

#include <chrono>
#include <memory>
#include <string>

namespace ticket {

// Thread-safe.
class Metrics {
 public:
  explicit Metrics(const std::string& version);
  ~Metrics();

  void processed();
  void duplicate();
  void failed(const std::string& reason);
  void ignored();      // a message that asked for nothing
  void moved_aside();  // a message kept under failed/ and removed from the queue
  void batch(size_t messages);
  void in_flight(size_t messages);
  void poll(std::chrono::duration<double> time);
  void queue_age(std::chrono::duration<double> time);  // from sending to the first delivery
  // `stage`: "fetch", "enrich", "store_object", "store_item" or "delete".
  void stage(const std::string& stage, std::chrono::duration<double> time);

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
