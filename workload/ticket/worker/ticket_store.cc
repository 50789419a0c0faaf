#include "ticket/worker/ticket_store.h"

#include "base/error.h"
#include "ticket/event_log.h"
#include "ticket/pipeline/enriched_ticket.h"

namespace ticket {

using nlohmann::ordered_json;

namespace {

constexpr size_t max_enriched_bytes = 8 * TicketLimits::bytes;

// Counts what fails for good.
template <typename Call>
auto counted(Metrics& metrics, const char* operation, const Call& call) {
  StageTimer timer(metrics, operation);
  try {
    return call();
  } catch (const flox::Error& error) {
    metrics.error(operation, error.kind());
    throw;
  }
}

}  // namespace

RawTicket TicketStore::fetch(const std::string& bucket, const std::string& key) {
  auto text = counted(metrics_, "fetch", [&] { return store_.get(bucket, key, TicketLimits::bytes); });
  if (!text) throw Rejected{"object_missing", fmt::format("s3://{}/{} does not exist", bucket, key)};
  try {
    return parse_raw_ticket(*text);
  } catch (const flox::Error& error) {
    throw Rejected{"schema", fmt::format("s3://{}/{}: {}", bucket, key, error.what())};
  }
}

std::optional<ordered_json> TicketStore::find_enriched(const RawTicket& ticket) {
  const std::string key = object_key(ticket.ticket_id);
  auto text = store_.get(settings_.enriched_bucket, key, max_enriched_bytes);
  if (!text) return std::nullopt;
  ordered_json enriched;
  switch (read_existing(*text, ticket, enriched)) {
    case Existing::same_ticket:
      return enriched;
    case Existing::other_ticket:
      throw Rejected{
          "id_conflict",
          fmt::format("s3://{}/{} holds another ticket of that id (created_at differs); it is not replaced",
                      settings_.enriched_bucket, key)};
    case Existing::unreadable:
      break;
  }
  return std::nullopt;
}

bool TicketStore::store(const RawTicket& ticket, ordered_json enriched) {
  const std::string key = object_key(ticket.ticket_id);
  counted(metrics_, "store_object", [&] {
    const std::string text = object_text(enriched);
    if (store_.put_if_absent(settings_.enriched_bucket, key, text)) return;
    if (auto existing = find_enriched(ticket)) {
      enriched = std::move(*existing);
      return;
    }
    log_event(Level::warning, "replacing an object that is not an enriched ticket",
              {{"ticket_id", ticket.ticket_id}, {"key", key}});
    store_.put(settings_.enriched_bucket, key, text);
  });
  return counted(metrics_, "store_item", [&] { return table_.put_if_absent(table_item(enriched)); });
}

}  // namespace ticket
