// Storing an enriched ticket exactly once, whatever is delivered twice and whoever dies where:
//  1. The object is written only if there is none under its key. If there is one of the same ticket, a worker
//     came this far before: its object is kept, and the item is made from it, so that object and item always
//     agree.
//  2. The item is written only if there is none. If there is one the ticket was complete: a duplicate.
// Two workers with the same ticket at once meet at 1 and at 2, where store and table let one of them win.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "ticket/backend/backend.h"
#include "ticket/pipeline/raw_ticket.h"
#include "ticket/worker/metrics.h"
#include "ticket/worker/settings.h"

namespace ticket {

// Content that can never be processed, however often it is tried.
struct Rejected {
  std::string reason;  // the metric's label: "object_missing", "schema" or "id_conflict"
  std::string problem;
};

class TicketStore {
 public:
  // All must outlive it.
  TicketStore(const Settings& settings, ObjectStore& store, Table& table, Metrics& metrics)
      : settings_(settings), store_(store), table_(table), metrics_(metrics) {}

  // The raw ticket in this object. Throws Rejected, or flox::Error if the store fails.
  RawTicket fetch(const std::string& bucket, const std::string& key);
  // The enriched ticket if its object is there already. Throws Rejected if the object is another ticket's.
  std::optional<nlohmann::ordered_json> find_enriched(const RawTicket& ticket);
  // Object, then item. Whether the ticket was stored now (false: it was complete). Throws Rejected or
  // flox::Error.
  bool store(const RawTicket& ticket, nlohmann::ordered_json enriched);

 private:
  const Settings& settings_;
  ObjectStore& store_;
  Table& table_;
  Metrics& metrics_;
};

}  // namespace ticket
