// The description of the API for programs: an OpenAPI 3.1 document, docs/reference/openapi.json, which is
// part of this program and which it serves.
#pragma once

#include <string_view>

namespace flox::server {

std::string_view openapi_document() noexcept;

}  // namespace flox::server
