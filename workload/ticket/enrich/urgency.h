// How urgent a ticket is: its stated priority, or else keywords (the reference's rules).
#pragma once

#include <optional>
#include <string>

namespace ticket {

struct Urgency {
  std::string level;  // "critical", "high", "medium" or "low"
  double confidence = 0.0;
};

// A priority that is one of the four levels, in any case, settles it with confidence 1. Any other, or none
// (absent or null: the reference program fails on null, this one does not), leaves it to the keywords of
// "subject body": the first level with one of its keywords (0.9, 0.8, 0.7, 0.7), otherwise medium 0.6.
Urgency classify_urgency(const std::optional<std::string>& priority, const std::string& subject,
                         const std::string& body);

}  // namespace ticket
