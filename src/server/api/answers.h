// What several resources of the API answer with.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/net/server/http_server.h"
#include "catalog/model.h"
#include "server/api/router.h"

namespace flox::server {

inline ServerResponse as_json(const nlohmann::json& document, int status = 200) {
  return {.status = status, .content_type = "application/json", .body = document.dump() + "\n"};
}

// Which part of a list the query's `page` and `page_size` choose: `size` elements from the one at place
// `first` on. Throws Error(invalid_input) for a page that is no number.
struct Page {
  size_t first = 0;
  size_t size = 0;
};
Page page_in(const Call& call);
// That part of `total` builds.
ServerResponse page_of(const std::vector<catalog::PackageBuild>& part, size_t total);
// The part of the builds that the query chooses, in their order.
ServerResponse page_of(const std::vector<catalog::PackageBuild>& builds, const Call& call);

}  // namespace flox::server
