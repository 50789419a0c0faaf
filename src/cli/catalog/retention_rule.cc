#include "cli/catalog/retention_rule.h"

#include <fmt/format.h>

#include "base/data/json.h"
#include "base/settings/units.h"

namespace flox::cli {
namespace {

constexpr const char* answer_name = "the catalog's answer";

std::string in_words(const nlohmann::json& rule) {
  const auto kept = [&](const char* key, std::string_view noun) {
    const uint64_t number = count_in(rule, key);
    return number == 0   ? fmt::format("all {}", key)
           : number == 1 ? fmt::format("the newest {}", noun)
                         : fmt::format("the newest {}", count_text(number, noun));
  };
  std::string text = fmt::format("{}, {}", kept("versions", "version"), kept("generations", "generation"));
  if (const uint64_t days = count_in(rule, "days"); days > 0)
    text += fmt::format(", and all that is younger than {}", count_text(days, "day"));
  return text;
}

}  // namespace

std::string retention_path(const std::string& owner) {
  return owner.empty() ? "/api/v1/catalog/retention" : "/api/v1/owners/" + segment(owner) + "/retention";
}

std::string rule_in_words(const std::string& owner, const nlohmann::json& answer) {
  const auto& own = member(answer, "rule", answer_name);
  const auto& otherwise = member(answer, "default", answer_name);
  const auto& rule = own.is_null() ? otherwise : own;
  return fmt::format("{} keeps {}{}", owner.empty() ? "the catalog" : owner,
                     rule.is_null() ? "everything: there is no rule" : in_words(rule),
                     own.is_null() && !rule.is_null() && !owner.empty() ? " (the catalog's rule)" : "");
}

}  // namespace flox::cli
