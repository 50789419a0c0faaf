// A manifest as TOML again: for people who look at one that was put together of several.
#pragma once  // Not fuzzed: manifests come parsed (env/manifest.h).

#include <nlohmann/json.hpp>
#include <string>

namespace flox::env {

// The text that says what a lock's "manifest" says, tables and keys sorted, without comments. Members that
// are null are left out, for TOML has none. Throws Error(invalid_input) for what is no table.
std::string manifest_toml(const nlohmann::json& manifest);

}  // namespace flox::env
