#include "server/api/openapi.h"

#include "server/api/resources.h"

namespace flox::server {

void add_document_routes(Router& router, ApiContext&) {
  router.add("GET", "/api/v1/openapi.json", Scope::anyone, no_body(), [](const Call&) {
    return ServerResponse{.content_type = "application/json", .body = std::string(openapi_document())};
  });
}

}  // namespace flox::server
