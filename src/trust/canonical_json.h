// Canonical JSON as OLPC defines it (http://wiki.laptop.org/go/Canonical_JSON): the bytes that signatures of
// The Update Framework cover. Members are sorted by their names' bytes, nothing stands between the tokens,
// only
// '"' and '\' are escaped, and numbers are integers.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace flox::trust {

// Throws Error(invalid_input) for a number that is not an integer. The document is one that parse_json has
// read, or our own: its depth is bounded, since this recurses once a level.
std::string canonical_json(const nlohmann::json& document);

}  // namespace flox::trust
