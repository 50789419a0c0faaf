// Where the catalog has an owner's rule of retention.
#pragma once

#include <string>

#include "cli/auth/catalog_options.h"

namespace flox::cli {

// Of the catalog itself for the owner "".
inline std::string retention_path(const std::string& owner) {
  return owner.empty() ? "/api/v1/catalog/retention" : "/api/v1/owners/" + segment(owner) + "/retention";
}

}  // namespace flox::cli
