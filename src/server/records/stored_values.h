// The table `settings`: single values that belong to the catalog as a whole, and counters.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/database/database.h"

namespace flox::server {

std::optional<std::string> stored_value(Session& session, std::string_view name);
void store_value(Session& session, std::string_view name, std::string_view value);

// How often something has happened; 0 at first.
int64_t counter(Session& session, std::string_view name);
void count(Session& session, std::string_view name);

}  // namespace flox::server
