// What a manifest installs, for commands that are given install ids.
#pragma once

#include <string>

#include "base/error.h"
#include "env/environment.h"

namespace flox::cli {

// Throws Error(not_found), with advice, unless the environment's manifest installs it.
inline void require_installed(const std::string& id, const env::Manifest& manifest,
                              const env::Environment& environment) {
  if (manifest.install.contains(id)) return;
  throw Error(ErrorKind::not_found,
              fmt::format("'{}' is not installed in environment '{}'", id, environment.name()),
              "Run 'flox list' to see what is installed.");
}

}  // namespace flox::cli
