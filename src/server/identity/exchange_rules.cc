#include "server/identity/exchange_rules.h"

#include <algorithm>

#include "base/data/toml.h"
#include "base/error.h"
#include "base/wildcard.h"
#include "catalog/environment_name.h"
#include "server/identity/issuer_keys.h"

namespace flox::server {
namespace {

constexpr size_t most_rules = 1000;
constexpr size_t longest_text = 1024;  // bytes
constexpr int64_t longest_minutes = 24 * 60;

[[noreturn]] void refuse(std::string_view name, const toml::node& node, std::string_view why) {
  const auto& at = node.source().begin;
  fail(ErrorKind::invalid_input, "{}:{}:{}: {}", name, at.line, at.column, why);
}

std::string text_of(std::string_view name, std::string_view key, const toml::node& node) {
  const auto text = node.value_exact<std::string>();
  if (!text || text->empty() || text->size() > longest_text)
    refuse(name, node, fmt::format("'{}' is not a text of 1 to {} bytes", key, longest_text));
  return *text;
}

// Runs a check of a text; its complaint gets the place.
template <typename Check>
void check(std::string_view name, const toml::node& node, Check&& of) {
  try {
    of();
  } catch (const Error& error) {
    refuse(name, node, error.what());
  }
}

void set(ExchangeRule& rule, std::string_view name, std::string_view key, const toml::node& node) {
  if (key == "issuer") {
    rule.issuer = text_of(name, key, node);
    check(name, node, [&] { check_issuer(rule.issuer); });
  } else if (key == "keys-file") {
    rule.keys_file = text_of(name, key, node);
    if (!rule.keys_file.is_absolute()) refuse(name, node, "'keys-file' is not an absolute path");
  } else if (key == "audience") {
    rule.audience = text_of(name, key, node);
  } else if (key == "subject") {
    rule.subject = text_of(name, key, node);
  } else if (key == "owner") {
    rule.owner = text_of(name, key, node);
    check(name, node, [&] { catalog::check_environment_name(rule.owner, "any"); });
  } else if (key == "role") {
    const std::string role = text_of(name, key, node);
    // An admin's token makes tokens that last longer than it.
    if (role != "read" && role != "publish") refuse(name, node, "'role' is neither \"read\" nor \"publish\"");
    rule.role = *role_of(role);
  } else if (key == "minutes") {
    const auto minutes = node.value_exact<int64_t>();
    if (!minutes || *minutes < 1 || *minutes > longest_minutes)
      refuse(name, node, fmt::format("'minutes' is not a number from 1 to {}", longest_minutes));
    rule.lasts = std::chrono::minutes(*minutes);
  } else if (key == "claims") {
    const auto* claims = node.as_table();
    if (claims == nullptr) refuse(name, node, "'claims' is not a table");
    for (const auto& [claim, pattern] : *claims)
      rule.claims[std::string(claim.str())] = text_of(name, claim.str(), pattern);
  } else {
    refuse(name, node, fmt::format("'{}' is not a key of a rule", key));
  }
}

ExchangeRule rule_of(std::string_view name, const toml::node& node) {
  const auto* table = node.as_table();
  if (table == nullptr) refuse(name, node, "a rule is a table");
  ExchangeRule rule;
  for (const auto& [key, value] : *table) set(rule, name, key.str(), value);
  for (const auto& [key, value] : {std::pair<const char*, const std::string*>{"issuer", &rule.issuer},
                                   {"audience", &rule.audience},
                                   {"subject", &rule.subject},
                                   {"owner", &rule.owner}})
    if (value->empty()) refuse(name, node, fmt::format("the rule has no '{}'", key));
  return rule;
}

}  // namespace

bool ExchangeRule::admits(const Jwt& token) const {
  if (token.issuer != issuer || std::ranges::find(token.audiences, audience) == token.audiences.end() ||
      !matches_wildcard(subject, token.subject))
    return false;
  return std::ranges::all_of(claims, [&](const auto& claim) {
    const auto found = token.claims.find(claim.first);
    return found != token.claims.end() && found->is_string() &&
           matches_wildcard(claim.second, found->template get_ref<const std::string&>());
  });
}

std::vector<ExchangeRule> parse_exchange_rules(std::string_view text, std::string_view name) {
  const toml::table document = parse_toml(text, name);
  std::vector<ExchangeRule> rules;
  for (const auto& [key, node] : document) {
    const auto* list = node.as_array();
    if (key.str() != "rule" || list == nullptr)
      refuse(name, node, fmt::format("'{}' is not a list [[rule]]", key.str()));
    if (list->size() > most_rules) refuse(name, node, fmt::format("there are over {} rules", most_rules));
    for (const auto& one : *list) rules.push_back(rule_of(name, one));
  }
  return rules;
}

}  // namespace flox::server
