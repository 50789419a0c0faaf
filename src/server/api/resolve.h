// Answers "which store paths is this package": POST /api/v1/catalog/resolve (docs/reference/catalog-api.md).
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "server/api/visible_records.h"

namespace flox::server {

// `request` and the answer as docs/reference/catalog-api.md has them. `base_url` becomes the packages'
// locked_url. Throws Error(invalid_input) for a malformed request; a package that is not there is a message
// in the answer. `owned` gets the packages of the answer that their owners have signed.
using OwnedPackages = std::map<std::string, std::string>;  // package → owner
nlohmann::json resolve(const VisibleRecords& records, const nlohmann::json& request,
                       const std::string& base_url, OwnedPackages& owned);

}  // namespace flox::server
