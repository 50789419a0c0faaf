// The catalog's rules for workloads' tokens.
#include "server/identity/exchange_rules.h"

#include "fuzz.h"

namespace flox::fuzz::of_exchange_rules {

void one(std::string_view input) {
  std::vector<server::ExchangeRule> rules;
  if (!accepts([&] { rules = server::parse_exchange_rules(input, "rules"); })) return;
  server::Jwt token;
  token.issuer = token.subject = std::string(input.substr(0, 100));
  token.claims = nlohmann::json::object();
  for (const auto& rule : rules) {
    require(!rule.issuer.empty() && !rule.audience.empty() && !rule.subject.empty() && !rule.owner.empty(),
            "a rule is complete");
    require(rule.role == server::Role::read || rule.role == server::Role::publish, "no rule makes an admin");
    require(rule.lasts.count() >= 1 && rule.lasts.count() <= 1440, "a token is short-lived");
    require(!rule.admits(token), "a token without an audience is admitted by none");
  }
}

}  // namespace flox::fuzz::of_exchange_rules
