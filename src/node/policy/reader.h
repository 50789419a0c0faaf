// Reading policy.toml (docs/reference/policy.md has the grammar).
#pragma once  // Fuzzed by fuzz/policy.cc.

#include <filesystem>
#include <string>
#include <string_view>

#include "node/policy/rules.h"

namespace flox::policy {

// Throws Error(invalid_input) "FILE:LINE:COLUMN: …" for what is not TOML, for unknown keys and ill-typed
// values, for two rules of one name, for a rule that can never be a pod's because one before it takes all of
// its pods, for more than 1,000 rules or 20,000 patterns, and for a text without a rule: to allow everything
// there is no policy.
Policy read_policy(std::string_view text, const std::string& file, const Defaults& defaults = {});

// Of a file, which may have a megabyte. Throws Error: not_found, and untrusted if others than its owner can
// write to it.
Policy load_policy(const std::filesystem::path& path, const Defaults& defaults);

}  // namespace flox::policy
