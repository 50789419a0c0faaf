// What something has done to an environment of variables.
#pragma once  // Fuzzed by fuzz/keeper_messages.cc.

#include <set>
#include <string>
#include <string_view>

#include "env/activation.h"

namespace flox::activation {

struct Changes {
  env::Variables set;
  std::set<std::string> unset;

  bool operator==(const Changes&) const = default;
};

Changes changes_between(const env::Variables& before, const env::Variables& after);
void apply(const Changes& changes, env::Variables& variables);

// As texts for JSON, whatever bytes variables have: "NAME=VALUE" and "NAME" with a NUL behind each, in
// base64.
std::string packed(const env::Variables& variables);
std::string packed(const std::set<std::string>& names);
// Throw Error(invalid_input).
env::Variables parse_packed_variables(std::string_view text);
std::set<std::string> parse_packed_names(std::string_view text);

}  // namespace flox::activation
