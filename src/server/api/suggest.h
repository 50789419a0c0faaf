// Advice for a request for a package that the catalog does not have.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace flox::server {

// "Did you mean web, web-ui?": up to three of the names that are a few typing errors away or contain the
// name, the closest first. If no name is near: how to search.
std::string advice_for_unknown(std::string_view name, const std::vector<std::string>& known_names);

}  // namespace flox::server
