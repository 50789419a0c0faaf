// What stands in the enriched bucket under a ticket's key, and may be somebody else's.
#include "ticket/pipeline/enriched_ticket.h"

#include <nlohmann/json.hpp>

#include "fuzz.h"

namespace flox::fuzz::of_enriched_ticket {

void one(std::string_view input) {
  static const ticket::RawTicket raw = ticket::parse_raw_ticket(
      R"({"ticket_id":"T-1","subject":"s","body":"b","created_at":1732060800,"customer_id":"C-1"})");
  nlohmann::ordered_json enriched;
  if (ticket::read_existing(input, raw, enriched) != ticket::Existing::same_ticket)
    return require(enriched.is_null(), "what is not the ticket's is not taken");
  require(enriched.at("ticket_id") == raw.ticket_id, "it is the ticket's");
  const std::string text = ticket::object_text(enriched);
  require(ticket::read_existing(text, raw, enriched) == ticket::Existing::same_ticket,
          "what was read is written so that it can be read");
}

}  // namespace flox::fuzz::of_enriched_ticket
