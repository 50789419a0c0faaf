#include "ticket/enrich/urgency.h"

#include <algorithm>
#include <vector>

#include "base/letter_case.h"
#include "ticket/enrich/keywords.h"

namespace ticket {
namespace {

struct UrgencyLevel {
  const char* name;
  double confidence;
  std::vector<const char*> keywords;
};

const std::vector<UrgencyLevel>& levels() {
  static const std::vector<UrgencyLevel> table{
      {"critical",
       0.9,
       {"urgent", "critical", "emergency", "asap", "immediately", "right now", "down", "outage", "broken",
        "can't access", "unable to", "blocked", "losing money", "production", "hacked", "security breach"}},
      {"high",
       0.8,
       {"important", "need help", "problem", "issue", "can't", "cannot", "doesn't work", "not working",
        "error", "failing", "soon", "business impact"}},
      {"medium",
       0.7,
       {"question", "how to", "how do i", "help", "assistance", "wondering", "clarify", "explain"}},
      {"low",
       0.7,
       {"suggestion", "feature", "enhancement", "when possible", "sometime", "eventually", "minor",
        "nice to have"}}};
  return table;
}

}  // namespace

Urgency classify_urgency(const std::optional<std::string>& priority, const std::string& subject,
                         const std::string& body) {
  for (const UrgencyLevel& level : levels())
    if (priority && flox::is_same_in_any_case(*priority, level.name))
      return {.level = level.name, .confidence = 1.0};
  KeywordText text(subject + " " + body);
  for (const UrgencyLevel& level : levels())
    if (std::ranges::any_of(level.keywords, [&](const char* keyword) { return text.count(keyword) > 0; }))
      return {.level = level.name, .confidence = level.confidence};
  return {.level = "medium", .confidence = 0.6};
}

}  // namespace ticket
