#include "ticket/enrich/intent.h"

#include <algorithm>
#include <vector>

#include "ticket/enrich/keywords.h"

namespace ticket {
namespace {

struct Category {
  const char* name;
  std::vector<const char*> keywords;
};

const std::vector<Category>& categories() {
  static const std::vector<Category> table{
      {"login_issue",
       {"login", "log in", "sign in", "signin", "password", "credentials", "authentication", "auth",
        "access denied", "locked out", "2fa", "mfa"}},
      {"payment_issue",
       {"payment", "charge", "charged", "refund", "billing", "invoice", "transaction", "credit card", "debit",
        "declined", "failed payment"}},
      {"bug_report",
       {"bug", "error", "crash", "broken", "not working", "doesn't work", "issue", "problem", "glitch",
        "freeze", "hang", "exception"}},
      {"feature_request",
       {"feature", "request", "enhancement", "add", "support for", "would love", "suggestion", "improve",
        "could you add", "wish"}},
      {"account_management",
       {"account", "profile", "settings", "update", "change", "delete", "deactivate", "email address",
        "phone number", "password reset"}},
      {"performance_issue",
       {"slow", "performance", "loading", "timeout", "lag", "delay", "hanging", "speed", "takes too long"}},
      {"security_concern",
       {"security", "hack", "hacked", "unauthorized", "breach", "suspicious", "fraud", "scam", "phishing",
        "malware", "virus"}},
      {"data_request",
       {"data", "export", "download", "gdpr", "privacy", "information", "personal data", "data protection"}},
      {"integration_help",
       {"integration", "api", "webhook", "oauth", "sdk", "plugin", "third party", "connect", "sync"}}};
  return table;
}

}  // namespace

Intent classify_intent(const std::string& subject, const std::string& body) {
  KeywordText text(subject + " " + body);
  if (text.blank()) return {.name = "general_inquiry", .confidence = 0.0};
  Intent best{.name = "general_inquiry", .confidence = 0.5};
  int most = 0;
  for (const Category& category : categories()) {
    int hits = 0;
    for (const char* keyword : category.keywords) hits += text.count(keyword);
    if (hits <= most) continue;
    most = hits;
    best = {.name = category.name, .confidence = std::min(hits / 3.0, 1.0)};
  }
  return best;
}

}  // namespace ticket
