#include "ticket/pipeline/enriched_ticket.h"

#include <fmt/chrono.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "base/error.h"
#include "ticket/enrich/intent.h"
#include "ticket/enrich/urgency.h"
#include "ticket/package.h"

namespace ticket {

using nlohmann::ordered_json;

namespace {

// An enriched ticket has the numbers of its embedding and its tags; finding a member of an ordered document
// takes time by their number.
constexpr flox::JsonLimits existing_limits{
    .bytes = 8 * TicketLimits::bytes, .depth = 8, .values = 16 * TicketLimits::tags};

std::string iso_time(std::chrono::system_clock::time_point when) {
  using namespace std::chrono;
  auto micros = duration_cast<microseconds>(when.time_since_epoch()).count() % 1'000'000;
  std::string text =
      fmt::format("{:%Y-%m-%dT%H:%M:%S}", fmt::gmtime(system_clock::to_time_t(floor<seconds>(when))));
  return micros == 0 ? text : text + fmt::format(".{:06}", micros);
}

}  // namespace

ordered_json enriched_ticket(const RawTicket& ticket, const ModelFindings& findings,
                             std::chrono::system_clock::time_point now) {
  Intent intent = classify_intent(ticket.subject, ticket.body);
  Urgency urgency = classify_urgency(ticket.priority, ticket.subject, ticket.body);
  ordered_json enrichment = ordered_json::object();
  if (findings.embedding) enrichment["embedding"] = *findings.embedding;
  enrichment["intent"] = intent.name;
  enrichment["intent_confidence"] = intent.confidence;
  enrichment["urgency"] = urgency.level;
  enrichment["urgency_confidence"] = urgency.confidence;
  if (findings.sentiment) {
    enrichment["sentiment"] = findings.sentiment->label;
    enrichment["sentiment_confidence"] = findings.sentiment->confidence;
  }
  if (findings.summary) enrichment["summary"] = *findings.summary;
  enrichment["processed_at"] = iso_time(now);
  enrichment["model_version"] = findings.model_version;
  enrichment["processor_version"] = program_version();
  if (!findings.missing.empty()) enrichment["missing_models"] = findings.missing;
  if (!findings.fallbacks.empty()) enrichment["fallbacks"] = findings.fallbacks;
  ordered_json enriched = to_json(ticket);
  enriched["enrichment"] = std::move(enrichment);
  return enriched;
}

std::string object_text(const ordered_json& enriched) { return enriched.dump(2); }
std::string object_key(const std::string& ticket_id) { return ticket_id + ".json"; }

ordered_json table_item(const ordered_json& enriched) {
  ordered_json item = ordered_json::object();
  for (const char* name : {"ticket_id", "created_at", "subject", "customer_id"})
    item[name] = enriched.at(name);
  const ordered_json& enrichment = enriched.at("enrichment");
  for (const char* name : {"intent", "urgency", "sentiment", "summary", "processed_at", "processor_version"})
    if (enrichment.contains(name)) item[name] = enrichment[name];
  if (enrichment.contains("missing_models"))
    item["missing_models"] =
        fmt::format("{}", fmt::join(enrichment["missing_models"].get<std::vector<std::string>>(), ","));
  item["s3_key"] = object_key(enriched.at("ticket_id"));
  return item;
}

Existing read_existing(std::string_view text, const RawTicket& ticket, ordered_json& enriched) {
  ordered_json found;
  try {
    found = flox::parse_ordered_json(text, "enriched ticket", existing_limits);
  } catch (const flox::Error&) {
    return Existing::unreadable;
  }
  if (!found.is_object()) return Existing::unreadable;
  for (const char* name : {"ticket_id", "subject", "customer_id"})
    if (!found.contains(name) || !found[name].is_string()) return Existing::unreadable;
  if (!found.contains("created_at") || !found["created_at"].is_number_integer()) return Existing::unreadable;
  if (!found.contains("enrichment") || !found["enrichment"].is_object()) return Existing::unreadable;
  for (const char* name : {"intent", "urgency", "processed_at"})
    if (!found["enrichment"].contains(name) || !found["enrichment"][name].is_string())
      return Existing::unreadable;
  if (found["ticket_id"] != ticket.ticket_id || found["created_at"] != ticket.created_at)
    return Existing::other_ticket;
  enriched = std::move(found);
  return Existing::same_ticket;
}

}  // namespace ticket
