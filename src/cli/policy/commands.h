// The subcommands of flox policy, one file each, and what they share.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "node/floxd/config.h"
#include "node/policy/rules.h"

namespace flox::cli {

void add_policy_test(CLI::App& policy);
void add_policy_explain(CLI::App& policy);
void add_policy_admission(CLI::App& policy);

// --policy FILE.
void add_policy_file(CLI::App& command, std::string& file);
// The named file, or the configured one; without rules where neither is there. Throws Error.
policy::Policy read_policy_of(const Config& config, const std::string& named);

}  // namespace flox::cli
