// The ticket as it comes in.
#pragma once  // Fuzzed by fuzz/raw_ticket.cc.

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

// What a ticket may cost. The texts that become part of the table's item stay far below the 400 kB that an
// item may have (DynamoDB's limit), whatever their characters.
struct TicketLimits {
  static constexpr size_t bytes = 4 << 20;     // of the whole object; also what the body may have
  static constexpr size_t depth = 64;          // levels of nesting, in members that nobody reads too
  static constexpr size_t values = 1 << 16;    // members and elements in all
  static constexpr size_t subject = 64 << 10;  // bytes
  static constexpr size_t name = 2 << 10;      // bytes of customer_id, priority, source, language and one tag
  static constexpr size_t tags = 1000;
};

// Reads a JSON object with ticket_id, subject, body, customer_id (texts, empty ones allowed but for
// ticket_id) and created_at (a whole number, or a text of digits as in "1732300000"); optionally priority and
// metadata{source (required there), language, tags}. Other members are dropped. Throws
// flox::Error(invalid_input) naming every member that is wrong, or where the JSON breaks or exceeds a limit.
RawTicket parse_raw_ticket(std::string_view text);

// The members in the schema's order, as the enriched ticket begins and the generator writes it.
nlohmann::ordered_json to_json(const RawTicket& ticket);

// Whether the id can be part of an object's key: 1 to 512 bytes, no control characters, no segment "." or
// ".." and not below "failed/", which is where messages that cannot be processed are kept. Returns what is
// wrong with it.
std::optional<std::string> ticket_id_problem(const std::string& id);

}  // namespace ticket
