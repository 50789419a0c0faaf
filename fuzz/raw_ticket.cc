// The workload's tickets, as anybody may put them into the bucket.
#include "ticket/pipeline/raw_ticket.h"

#include <nlohmann/json.hpp>

#include "fuzz.h"

namespace flox::fuzz::of_raw_ticket {

void one(std::string_view input) {
  ticket::RawTicket raw;
  if (!accepts([&] { raw = ticket::parse_raw_ticket(input); })) return;
  require(!ticket::ticket_id_problem(raw.ticket_id), "an accepted id can be part of a key");
  const std::string text = ticket::to_json(raw).dump();
  require(ticket::to_json(ticket::parse_raw_ticket(text)).dump() == text,
          "a ticket is written as it was read");
}

}  // namespace flox::fuzz::of_raw_ticket
