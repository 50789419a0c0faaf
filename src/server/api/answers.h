// What several resources of the API answer with.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "base/net/server/http_server.h"
#include "catalog/model.h"
#include "server/api/router.h"

namespace flox::server {

inline ServerResponse as_json(const nlohmann::json& document, int status = 200) {
  return {.status = status, .content_type = "application/json", .body = document.dump() + "\n"};
}

// The part of the builds that the query's `page` and `page_size` choose, in their order. Throws
// Error(invalid_input) for a page that is no number.
ServerResponse page_of(const std::vector<catalog::PackageBuild>& builds, const Call& call);

}  // namespace flox::server
