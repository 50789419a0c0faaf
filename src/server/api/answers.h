// What several resources of the API answer with.
#pragma once

#include <nlohmann/json.hpp>

#include "base/net/server/http_server.h"

namespace flox::server {

inline ServerResponse as_json(const nlohmann::json& document, int status = 200) {
  return {.status = status, .content_type = "application/json", .body = document.dump() + "\n"};
}

}  // namespace flox::server
