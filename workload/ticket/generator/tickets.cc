#include "ticket/generator/tickets.h"

#include <fmt/format.h>

#include <set>

#include "ticket/generator/templates.h"

namespace ticket {
namespace {

using Values = std::map<std::string, std::string>;

// Replaces "{name}" by its value; every name is known, the unit test sees to it.
std::string fill(const std::string& text, const Values& values) {
  std::string result;
  for (size_t at = 0; at < text.size();) {
    size_t open = text.find('{', at);
    if (open == std::string::npos) return result + text.substr(at);
    size_t close = text.find('}', open);
    result += text.substr(at, open - at) + values.at(text.substr(open + 1, close - open - 1));
    at = close + 1;
  }
  return result;
}

}  // namespace

// Not std::uniform_int_distribution, whose results differ between standard libraries.
size_t TicketMaker::pick(size_t size) { return random_() % size; }

RawTicket TicketMaker::next(int64_t created_at) {
  static const std::vector<std::string> categories = [] {
    std::set<std::string> names;
    for (const Template& entry : templates()) names.insert(entry.category);
    return std::vector<std::string>(names.begin(), names.end());
  }();
  static const std::vector<std::string> hints{"It is urgent.", "Please answer as soon as you can.",
                                              "There is no hurry.", "Our production is down because of this.",
                                              "I need help with it today."};
  static const std::vector<std::string> priorities{"critical", "high", "medium", "low"};
  static const std::vector<std::string> sources{"email", "web", "api", "chat"};

  // The category first, so that each is as likely however many templates it has.
  const std::string& category = one_of(categories);
  std::vector<Template> choice;
  for (const Template& entry : templates())
    if (entry.category == category) choice.push_back(entry);
  const Template& chosen = one_of(choice);
  Values values;
  for (const auto& [name, options] : placeholder_values()) values[name] = one_of(options);

  RawTicket ticket;
  ticket.ticket_id = fmt::format("DEMO-{}-{}", seed_, ++made_);
  ticket.subject = fill(chosen.subject, values);
  ticket.subject[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(ticket.subject[0])));
  ticket.body = fill(chosen.body, values);
  if (pick(10) < 3) ticket.body += " " + one_of(hints);
  // One in five leaves the urgency to the keywords.
  if (pick(5) != 0) ticket.priority = one_of(priorities);
  ticket.created_at = created_at;
  ticket.customer_id = fmt::format("CUST-{}", 1000 + pick(9000));
  ticket.metadata = {.source = one_of(sources), .language = "en", .tags = {}};
  return ticket;
}

}  // namespace ticket
