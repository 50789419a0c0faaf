// What a ticket is about, decided by counting keywords (the reference's rules; no model has a part in it).
#pragma once

#include <string>

namespace ticket {

struct Intent {
  std::string name;         // "login_issue", …, or "general_inquiry"
  double confidence = 0.0;  // hits / 3, at most 1; 0.5 without a hit; 0 for blank text
};

// The category with the most hits in "subject body"; of equals, the one that stands first in the table.
Intent classify_intent(const std::string& subject, const std::string& body);

}  // namespace ticket
