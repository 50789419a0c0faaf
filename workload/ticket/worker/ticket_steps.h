// What is done with the tickets in hand: fetched, enriched together, stored. What a step throws becomes its
// job's outcome, counted and logged; a job that is over is left alone by the steps after it.
#pragma once

#include <vector>

#include "ticket/pipeline/enricher.h"
#include "ticket/stop.h"
#include "ticket/worker/delivery.h"
#include "ticket/worker/metrics.h"
#include "ticket/worker/settings.h"
#include "ticket/worker/ticket_store.h"

namespace ticket {

// Thread-safe for different jobs, but that one thread at a time enriches.
class TicketSteps {
 public:
  struct Parts {
    ObjectStore& store;
    Table& table;
    const Models& models;
    Metrics& metrics;
    Stop& stop;
    Counts& counts;
  };
  // All must outlive it.
  TicketSteps(const Settings& settings, Parts parts);

  void fetch(Job& job);
  void enrich(std::vector<Job*> jobs);
  void store(Job& job);

 private:
  EnrichmentEvents enrichment_events();
  std::vector<EnrichedOrError> run_models(const std::vector<RawTicket>& tickets);
  template <typename Step>
  void attempt(Job& job, const Step& step);

  const Settings& settings_;
  Parts parts_;
  Enricher enricher_;
  TicketStore tickets_;
};

}  // namespace ticket
