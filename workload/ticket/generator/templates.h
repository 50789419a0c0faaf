// The wording of made-up tickets.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace ticket {

// Texts with placeholders in braces: "Cannot open {page}".
struct Template {
  std::string category;  // "login", "payment", "bug", "feature", "account" or "billing"
  std::string subject;
  std::string body;
};

const std::vector<Template>& templates();
// What each placeholder may become.
const std::map<std::string, std::vector<std::string>>& placeholder_values();

}  // namespace ticket
