#include "ticket/pipeline/models.h"

#include "ticket/pipeline/enriched_ticket.h"

namespace ticket {

std::string Models::version() const {
  std::string text = rules_version;
  auto add = [&](const auto& slot) {
    if (slot.model) text += " " + slot.version;
  };
  add(embedding), add(sentiment), add(summary);
  return text;
}

std::vector<std::string> Models::missing() const {
  std::vector<std::string> ids;
  auto add = [&](const auto& slot) {
    if (!slot.model) ids.push_back(slot.id);
  };
  add(embedding), add(sentiment), add(summary);
  return ids;
}

}  // namespace ticket
