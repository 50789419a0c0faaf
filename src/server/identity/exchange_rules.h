// Which workloads may publish: rules from issuers' tokens to owners and roles, from a file in TOML
// (docs/reference/catalog-api.md, "Workload identity").
#pragma once  // Fuzzed by fuzz/exchange_rules.cc.

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "server/identity/jwt.h"
#include "server/records/role.h"

namespace flox::server {

// What stands in a token: issuer and audience exactly, subject and claims by patterns (base/wildcard.h).
struct ExchangeRule {
  std::string issuer;
  std::filesystem::path keys_file;  // a JSON Web Key Set; empty: the issuer is asked
  std::string audience;
  std::string subject;
  std::map<std::string, std::string> claims;
  std::string owner;
  Role role = Role::publish;
  std::chrono::minutes lasts{15};

  bool admits(const Jwt& token) const;
};

// At most 1,000. Throws Error(invalid_input) "NAME:LINE:COLUMN: …" for what is missing, ill-typed or unknown.
std::vector<ExchangeRule> parse_exchange_rules(std::string_view text, std::string_view name);

}  // namespace flox::server
