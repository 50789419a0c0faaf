#include "ticket/worker/metrics.h"

#include <unistd.h>

#include <ctime>
#include <fstream>

#include "base/net/server/metrics_page.h"

namespace ticket {

namespace {

using flox::MetricsPage;
using Counter = MetricsPage::Counter;
using Gauge = MetricsPage::Gauge;
using Histogram = MetricsPage::Histogram;
template <typename Metric>
using Family = MetricsPage::Family<Metric>;

using Buckets = Histogram::BucketBoundaries;
const Buckets stage_seconds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};
const Buckets poll_seconds{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20};
const Buckets age_seconds{0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600};
const Buckets batch_tickets{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 16, 32, 64, 128};
const Buckets batch_sizes{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};

double resident_bytes() {
  std::ifstream file("/proc/self/statm");
  double pages = 0, resident = 0;
  file >> pages >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

}  // namespace

const char* reason_of(flox::ErrorKind kind) noexcept {
  switch (kind) {
    case flox::ErrorKind::not_found:
      return "missing_resource";
    case flox::ErrorKind::untrusted:
      return "access_denied";
    case flox::ErrorKind::unavailable:
      return "unavailable";
    case flox::ErrorKind::conflict:
      return "conflict";
    case flox::ErrorKind::invalid_input:
      return "refused";
    case flox::ErrorKind::internal:
      return "internal";
  }
  return "internal";
}

struct Metrics::State {
  MetricsPage page;
  Family<Gauge>& build = page.gauges("ticket_build_info", "Always 1; the labels tell the version.");
  Family<Gauge>& loaded = page.gauges("ticket_model_loaded", "1 if the model is loaded, 0 if it is missing.");
  Family<Gauge>& load_time = page.gauges("ticket_model_load_seconds", "Time to load the model at start.");
  Family<Gauge>& prepared = page.gauges("ticket_model_prepared",
                                        "1 if the model's weights are mapped from a prepared file, 0 if this "
                                        "process packed them in its memory.");
  Counter& processed = page.counter("ticket_processed_total", "Tickets enriched and stored.");
  Counter& duplicates = page.counter(
      "ticket_duplicates_total", "Tickets delivered again after they had been stored; nothing was written.");
  Family<Counter>& failed =
      page.counters("ticket_failed_total", "Attempts at a ticket that failed, by reason.");
  Family<Counter>& fallbacks = page.counters(
      "ticket_fallbacks_total", "Fields for which a rule stood in because the model failed on the text.");
  Family<Counter>& errors = page.counters(
      "ticket_errors_total", "Calls to a service that failed after all attempts, by operation and kind.");
  Counter& ignored = page.counter("ticket_messages_ignored_total", "Messages that asked for nothing.");
  Counter& moved_aside =
      page.counter("ticket_messages_moved_aside_total",
                   "Messages that cannot be processed, kept under failed/ in the enriched bucket.");
  Counter& returned =
      page.counter("ticket_messages_returned_total", "Messages given back to the queue unfinished.");
  Family<Histogram>& stages = page.histograms(
      "ticket_stage_seconds",
      "Time of a stage: of one ticket, or, for the enrichment and its models, of the tickets of one poll.");
  Histogram& batches = page.histogram("ticket_batch_messages", "Messages of one poll.", batch_sizes);
  Histogram& together =
      page.histogram("ticket_batch_tickets", "Tickets that went through the models together.", batch_tickets);
  Family<Counter>& begun = page.counters(
      "ticket_batches_total", "Passes through the models, by the reason why they began when they did.");
  Gauge& waiting = page.gauge("ticket_waiting_tickets", "Tickets fetched that wait for the models.");
  Histogram& polls = page.histogram("ticket_poll_seconds", "Time of one poll of the queue.", poll_seconds);
  Histogram& ages = page.histogram("ticket_queue_age_seconds",
                                   "From the sending of a message to its first delivery.", age_seconds);
  Gauge& lag =
      page.gauge("ticket_queue_lag_seconds",
                 "Age, at delivery, of the oldest new message of the latest poll; 0 if it had none.");
  Family<Gauge>& depth =
      page.gauges("ticket_queue_messages", "Messages in the queue, about, as seen every 15 s between polls.");
  Gauge& in_flight = page.gauge("ticket_in_flight_messages", "Messages received and not finished.");
  Gauge& memory = page.gauge("process_resident_memory_bytes", "Resident memory size in bytes.");
  Gauge& start = page.gauge("process_start_time_seconds", "Start time since the epoch in seconds.");
  Counter& cpu = page.counter("process_cpu_seconds_total", "User and system CPU time spent in seconds.");

  // Series that exist from the start, so that a rate over them begins at zero and a panel is not empty.
  State() {
    for (const char* name : {"message", "record", "schema", "object_missing", "id_conflict", "unavailable",
                             "access_denied", "missing_resource", "refused", "internal", "worker_ended"})
      failed.Add({{"reason", name}});
    for (const char* name : {"sentiment", "summary"}) fallbacks.Add({{"field", name}});
    for (const char* name : {"poll", "fetch", "store_object", "store_item", "delete", "visibility"})
      errors.Add({{"operation", name}, {"kind", reason_of(flox::ErrorKind::unavailable)}});
    for (const char* name : {"waiting", "hidden"}) depth.Add({{"state", name}});
    for (const char* name : {"fetch", "enrich", "store_object", "store_item", "delete"})
      stages.Add({{"stage", name}}, stage_seconds);
    for (const char* name : {"full", "deadline", "drained", "alone", "in_turn"})
      begun.Add({{"reason", name}});
    start.Set(static_cast<double>(std::time(nullptr)));
  }
};

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

void Metrics::build(const std::string& version, const std::string& model_version) {
  state_->build.Add({{"version", version}, {"model_version", model_version}}).Set(1);
}
void Metrics::model_loaded(const std::string& id, Seconds time, bool prepared) {
  state_->prepared.Add({{"model", id}}).Set(prepared ? 1 : 0);
  state_->loaded.Add({{"model", id}}).Set(1);
  state_->load_time.Add({{"model", id}}).Set(time.count());
}
void Metrics::model_missing(const std::string& id) { state_->loaded.Add({{"model", id}}).Set(0); }

void Metrics::processed() { state_->processed.Increment(); }
void Metrics::duplicate() { state_->duplicates.Increment(); }
void Metrics::failed(const std::string& reason) { state_->failed.Add({{"reason", reason}}).Increment(); }
void Metrics::fell_back(const std::string& field) { state_->fallbacks.Add({{"field", field}}).Increment(); }
void Metrics::error(const std::string& operation, flox::ErrorKind kind) {
  state_->errors.Add({{"operation", operation}, {"kind", reason_of(kind)}}).Increment();
}
void Metrics::ignored() { state_->ignored.Increment(); }
void Metrics::moved_aside() { state_->moved_aside.Increment(); }
void Metrics::returned(size_t messages) { state_->returned.Increment(static_cast<double>(messages)); }
void Metrics::batch(size_t messages) { state_->batches.Observe(static_cast<double>(messages)); }
void Metrics::enriched_together(size_t tickets) { state_->together.Observe(static_cast<double>(tickets)); }
void Metrics::batch_begun(const char* reason) { state_->begun.Add({{"reason", reason}}).Increment(); }
void Metrics::waiting_tickets(size_t tickets) { state_->waiting.Set(static_cast<double>(tickets)); }
void Metrics::in_flight(size_t messages) { state_->in_flight.Set(static_cast<double>(messages)); }
void Metrics::poll(Seconds time) { state_->polls.Observe(time.count()); }
void Metrics::queue_age(Seconds time) { state_->ages.Observe(time.count()); }
void Metrics::queue_lag(Seconds time) { state_->lag.Set(time.count()); }
void Metrics::queue_depth(long waiting, long hidden) {
  state_->depth.Add({{"state", "waiting"}}).Set(static_cast<double>(waiting));
  state_->depth.Add({{"state", "hidden"}}).Set(static_cast<double>(hidden));
}
void Metrics::stage(const std::string& stage, Seconds time) {
  state_->stages.Add({{"stage", stage}}, stage_seconds).Observe(time.count());
}

std::string Metrics::text() const {
  state_->memory.Set(resident_bytes());
  state_->cpu.Increment(cpu_seconds() - state_->cpu.Value());
  return state_->page.text();
}

}  // namespace ticket
