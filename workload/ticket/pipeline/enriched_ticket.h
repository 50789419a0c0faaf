// The ticket as it goes out: an object in the enriched bucket, and an item of the table.
//
// Object (JSON, indented by two): the raw ticket's members, then "enrichment" with, in this order, embedding,
// intent, intent_confidence, urgency, urgency_confidence, sentiment, sentiment_confidence, summary,
// processed_at, model_version, processor_version; missing_models and fallbacks only if there are any. What
// would need a missing model is absent.
#pragma once  // Fuzzed by fuzz/enriched_ticket.cc.

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ticket/pipeline/models.h"
#include "ticket/pipeline/raw_ticket.h"

namespace ticket {

// What `model_version` begins with: the version of the rules for intent and urgency.
inline constexpr const char* rules_version = "rules-1";

// What the models found.
struct ModelFindings {
  std::optional<std::vector<float>> embedding;
  std::optional<Sentiment> sentiment;
  std::optional<std::string> summary;
  std::vector<std::string> missing;    // ids of models
  std::vector<std::string> fallbacks;  // names of members
  std::string model_version = rules_version;
};

// The enriched ticket of these findings and of the rules for intent and urgency. `now` becomes processed_at:
// UTC without a zone, as the reference program writes it ("2026-11-23T12:00:00.123456", microseconds left out
// when zero).
nlohmann::ordered_json enriched_ticket(const RawTicket& ticket, const ModelFindings& findings,
                                       std::chrono::system_clock::time_point now);

// The object's text.
std::string object_text(const nlohmann::ordered_json& enriched);
// "DEMO-1" -> "DEMO-1.json", the object's key.
std::string object_key(const std::string& ticket_id);

// The flat item of the table: ticket_id, created_at, subject, customer_id, intent, urgency, sentiment and
// summary if the object has them, processed_at, processor_version, missing_models (joined by commas, if there
// are any), s3_key.
nlohmann::ordered_json table_item(const nlohmann::ordered_json& enriched);

// Whether `text`, found under the ticket's key, is an enriched ticket, and of which ticket.
enum class Existing { same_ticket, other_ticket, unreadable };
// On same_ticket `enriched` is filled with it.
Existing read_existing(std::string_view text, const RawTicket& ticket, nlohmann::ordered_json& enriched);

}  // namespace ticket
