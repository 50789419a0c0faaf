#include "ticket/pipeline/raw_ticket.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "base/error.h"

namespace ticket {

using nlohmann::json;

namespace {

// Collects what is wrong, so that a sender learns all of it at once.
class Checker {
 public:
  explicit Checker(const json& object, std::string prefix = "")
      : object_(object), prefix_(std::move(prefix)) {}

  std::string text(const char* name, size_t most) {
    auto found = object_.find(name);
    if (found == object_.end()) return complain(name, "is missing"), "";
    const auto* text = found->get_ptr<const std::string*>();
    if (text == nullptr)
      return complain(name, std::string("is ") + found->type_name() + ", not a string"), "";
    if (text->size() > most)
      return complain(name, fmt::format("has {} bytes, more than {}", text->size(), most)), "";
    return *text;
  }
  int64_t whole_number(const char* name) {
    auto found = object_.find(name);
    if (found == object_.end()) return complain(name, "is missing"), 0;
    if (found->is_number_unsigned() && found->get<uint64_t>() <= INT64_MAX) return found->get<int64_t>();
    if (found->is_number_integer() && !found->is_number_unsigned()) return *found;
    if (found->is_number_float() && std::trunc(found->get<double>()) == found->get<double>() &&
        std::abs(found->get<double>()) < 9e15)
      return static_cast<int64_t>(found->get<double>());
    if (found->is_string()) {
      const auto& digits = found->get_ref<const std::string&>();
      int64_t number = 0;
      auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
      if (error == std::errc() && end == digits.data() + digits.size()) return number;
    }
    return complain(name, "is not a whole number"), 0;
  }
  void complain(std::string_view name, std::string_view what) {
    problems_ += fmt::format("{}{}{} {}", problems_.empty() ? "" : "; ", prefix_, name, what);
  }
  void add(const Checker& other) {
    if (!other.problems_.empty()) problems_ += (problems_.empty() ? "" : "; ") + other.problems_;
  }
  const std::string& problems() const { return problems_; }

 private:
  const json& object_;
  std::string prefix_;
  std::string problems_;
};

std::vector<std::string> parse_tags(const json& given, Checker& checker) {
  std::vector<std::string> tags;
  if (!given.is_array()) return checker.complain("tags", "is not an array"), tags;
  if (given.size() > TicketLimits::tags)
    return checker.complain("tags",
                            fmt::format("has {} elements, more than {}", given.size(), TicketLimits::tags)),
           tags;
  for (const json& element : given) {
    const auto* tag = element.get_ptr<const std::string*>();
    if (tag == nullptr) return checker.complain("tags", "holds something that is not a string"), tags;
    if (tag->size() > TicketLimits::name)
      return checker.complain("tags", fmt::format("has one of more than {} bytes", TicketLimits::name)), tags;
    tags.push_back(*tag);
  }
  return tags;
}

Metadata parse_metadata(const json& given, Checker& outer) {
  Metadata metadata;
  if (!given.is_object()) return outer.complain("metadata", "is not an object"), metadata;
  Checker checker(given, "metadata.");
  metadata.source = checker.text("source", TicketLimits::name);
  if (given.contains("language")) metadata.language = checker.text("language", TicketLimits::name);
  if (auto tags = given.find("tags"); tags != given.end()) metadata.tags = parse_tags(*tags, checker);
  outer.add(checker);
  return metadata;
}

json parse_document(std::string_view text) {
  try {
    return flox::parse_json(
        text, "ticket",
        {.bytes = TicketLimits::bytes, .depth = TicketLimits::depth, .values = TicketLimits::values});
  } catch (const flox::Error& error) {
    throw error.with_context("the ticket is not JSON that can be taken");
  }
}

}  // namespace

std::optional<std::string> ticket_id_problem(const std::string& id) {
  if (id.empty()) return "is empty";
  if (id.size() > 512) return "has more than 512 bytes";
  for (unsigned char c : id)
    if (c < 0x20 || c == 0x7f) return "has a control character";
  if (id.starts_with("failed/")) return "begins with \"failed/\", where messages that failed are kept";
  // The id's last segment is harmless: ".json" follows it.
  for (size_t begin = 0, end; (end = id.find('/', begin)) != std::string::npos; begin = end + 1) {
    std::string segment = id.substr(begin, end - begin);
    if (segment == "." || segment == "..") return "has a segment \"" + segment + "\"";
  }
  return std::nullopt;
}

RawTicket parse_raw_ticket(std::string_view text) {
  const json document = parse_document(text);
  if (!document.is_object())
    flox::fail(flox::ErrorKind::invalid_input, "the ticket is not a JSON object but {}",
               document.type_name());

  Checker checker(document);
  RawTicket ticket;
  ticket.ticket_id = checker.text("ticket_id", TicketLimits::name);
  ticket.subject = checker.text("subject", TicketLimits::subject);
  ticket.body = checker.text("body", TicketLimits::bytes);
  ticket.created_at = checker.whole_number("created_at");
  ticket.customer_id = checker.text("customer_id", TicketLimits::name);
  if (document.contains("priority") && !document["priority"].is_null())
    ticket.priority = checker.text("priority", TicketLimits::name);
  if (document.contains("metadata")) ticket.metadata = parse_metadata(document["metadata"], checker);
  if (auto id = document.find("ticket_id"); id != document.end() && id->is_string())
    if (auto problem = ticket_id_problem(id->get_ref<const std::string&>()))
      checker.complain("ticket_id", *problem);
  if (!checker.problems().empty())
    flox::fail(flox::ErrorKind::invalid_input, "the ticket breaks the schema: {}", checker.problems());
  return ticket;
}

nlohmann::ordered_json to_json(const RawTicket& ticket) {
  return {{"ticket_id", ticket.ticket_id},
          {"subject", ticket.subject},
          {"body", ticket.body},
          {"priority", ticket.priority ? nlohmann::ordered_json(*ticket.priority) : nlohmann::ordered_json()},
          {"created_at", ticket.created_at},
          {"customer_id", ticket.customer_id},
          {"metadata",
           {{"source", ticket.metadata.source},
            {"language", ticket.metadata.language},
            {"tags", ticket.metadata.tags}}}};
}

}  // namespace ticket
