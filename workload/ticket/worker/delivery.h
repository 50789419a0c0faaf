// A message in hand, and the tickets that it names.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ticket/backend/backend.h"
#include "ticket/pipeline/raw_ticket.h"
#include "ticket/worker/notification.h"

namespace ticket {

// How a record, and with its worst record a message, ended. In order of precedence.
enum class Outcome {
  done,      // to be deleted
  rejected,  // its content can never be processed
  failed,    // something else went wrong: worth another delivery
  dropped,   // the grace was over: give it back at once
};

// One record on its way.
struct Job {
  const Message* message;
  Record record;
  Outcome outcome = Outcome::done;
  bool over = false;    // nothing more to do
  std::string problem;  // why it is not done
  std::optional<RawTicket> ticket;
  nlohmann::ordered_json enriched;  // null until it is
  std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();

  void end(Outcome how) { over = true, outcome = how; }
};

// One message with its jobs.
struct Delivery {
  std::shared_ptr<const Message> message;
  std::vector<Job> jobs;
  bool begun = false;  // and that is written down
  Outcome outcome = Outcome::done;
  std::string problem;
};

using Deliveries = std::vector<Delivery>;

// The jobs of all of them, in order; the pointers are into `deliveries`.
inline std::vector<Job*> jobs_of(Deliveries& deliveries) {
  std::vector<Job*> jobs;
  for (Delivery& delivery : deliveries)
    for (Job& job : delivery.jobs) jobs.push_back(&job);
  return jobs;
}

// What became of the tickets and messages of a run, counted by the threads of all stages.
struct Counts {
  std::atomic<long> processed{0}, duplicates{0};
  std::atomic<long> failed{0};    // attempts
  std::atomic<long> returned{0};  // messages given back to the queue unfinished
  std::atomic<long> troubles{0};  // tickets that failed through no fault of theirs
};

}  // namespace ticket
