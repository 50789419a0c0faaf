#include "ticket/worker/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "ticket/pipeline/enriched_ticket.h"

namespace ticket {

namespace {

using Buckets = prometheus::Histogram::BucketBoundaries;
const Buckets stage_seconds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
const Buckets poll_seconds{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20};
const Buckets age_seconds{0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600};
const Buckets batch_sizes{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};

prometheus::Counter& counter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Histogram& histogram(prometheus::Registry& registry, const char* name, const char* help,
                                 const Buckets& buckets) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, buckets);
}

}  // namespace

struct Metrics::State {
  prometheus::Registry registry;
  prometheus::Counter& processed =
      counter(registry, "ticket_processed_total", "Tickets enriched and stored.");
  prometheus::Counter& duplicates =
      counter(registry, "ticket_duplicates_total",
              "Tickets delivered again after they had been stored; nothing was written.");
  prometheus::Family<prometheus::Counter>& failed = prometheus::BuildCounter()
                                                        .Name("ticket_failed_total")
                                                        .Help("Attempts at a ticket that failed, by reason.")
                                                        .Register(registry);
  prometheus::Counter& ignored =
      counter(registry, "ticket_messages_ignored_total", "Messages that asked for nothing.");
  prometheus::Counter& moved_aside =
      counter(registry, "ticket_messages_moved_aside_total",
              "Messages that cannot be processed, kept under failed/ in the enriched bucket.");
  prometheus::Family<prometheus::Histogram>& stages = prometheus::BuildHistogram()
                                                          .Name("ticket_stage_seconds")
                                                          .Help("Time of one stage of one ticket.")
                                                          .Register(registry);
  prometheus::Histogram& batches =
      histogram(registry, "ticket_batch_messages", "Messages of one poll.", batch_sizes);
  prometheus::Histogram& polls =
      histogram(registry, "ticket_poll_seconds", "Time of one poll of the queue.", poll_seconds);
  prometheus::Histogram& ages =
      histogram(registry, "ticket_queue_age_seconds", "From the sending of a message to its first delivery.",
                age_seconds);
  prometheus::Gauge& in_flight = prometheus::BuildGauge()
                                     .Name("ticket_in_flight_messages")
                                     .Help("Messages received and not finished.")
                                     .Register(registry)
                                     .Add({});
};

Metrics::Metrics(const std::string& version) : state_(std::make_unique<State>()) {
  prometheus::BuildGauge()
      .Name("ticket_build_info")
      .Help("Always 1; the labels tell the version.")
      .Register(state_->registry)
      .Add({{"version", version}, {"model_version", rules_version}})
      .Set(1);
}
Metrics::~Metrics() = default;

void Metrics::processed() { state_->processed.Increment(); }
void Metrics::duplicate() { state_->duplicates.Increment(); }
void Metrics::failed(const std::string& reason) { state_->failed.Add({{"reason", reason}}).Increment(); }
void Metrics::ignored() { state_->ignored.Increment(); }
void Metrics::moved_aside() { state_->moved_aside.Increment(); }
void Metrics::batch(size_t messages) { state_->batches.Observe(static_cast<double>(messages)); }
void Metrics::in_flight(size_t messages) { state_->in_flight.Set(static_cast<double>(messages)); }
void Metrics::poll(std::chrono::duration<double> time) { state_->polls.Observe(time.count()); }
void Metrics::queue_age(std::chrono::duration<double> time) { state_->ages.Observe(time.count()); }
void Metrics::stage(const std::string& stage, std::chrono::duration<double> time) {
  state_->stages.Add({{"stage", stage}}, stage_seconds).Observe(time.count());
}

std::string Metrics::text() const {
  return prometheus::TextSerializer().Serialize(state_->registry.Collect());
}

}  // namespace ticket
