// The policy in plain words, for `flox policy explain`.
#pragma once

#include <optional>
#include <string>

#include "node/policy/rules.h"

namespace flox::policy {

// In lines; with a namespace only the rules that can be for its pods.
std::string explain(const Policy& policy, const std::optional<std::string>& pod_namespace);

}  // namespace flox::policy
