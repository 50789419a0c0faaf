// The ticket as it comes in.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ticket {

struct Metadata {
  std::string source = "unknown";
  std::string language = "en";
  std::vector<std::string> tags;
};

struct RawTicket {
  std::string ticket_id;
  std::string subject;
  std::string body;
  std::optional<std::string> priority;  // any text; null counts as absent
  int64_t created_at = 0;               // seconds since 1970, UTC
  std::string customer_id;
  Metadata metadata;
};

// Reads a JSON object with ticket_id, subject, body, customer_id (texts, empty ones allowed but for
// ticket_id) and created_at (a whole number, or a text of digits as in "1732300000"); optionally priority and
// metadata{source (required there), language, tags}. Other members are dropped. Throws
// flox::Error(invalid_input) naming every member that is wrong, or where the JSON breaks.
RawTicket parse_raw_ticket(std::string_view text);

// The members in the schema's order, as the enriched ticket begins and the generator writes it.
nlohmann::ordered_json to_json(const RawTicket& ticket);

// Whether the id can be part of an object's key: 1 to 512 bytes, no control characters, no segment "." or
// ".." and not below "failed/", which is where messages that cannot be processed are kept. Returns what is
// wrong with it.
std::optional<std::string> ticket_id_problem(const std::string& id);

}  // namespace ticket
