// What a manifest installs, for commands that are given install ids.
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "base/error.h"
#include "env/compose.h"
#include "env/environment.h"

namespace flox::cli {

// Throws Error(not_found), with advice, unless the environment's manifest installs it.
inline void require_installed(const std::string& id, const env::Manifest& manifest,
                              const env::Environment& environment) {
  if (manifest.install.contains(id)) return;
  // flox list has the packages of included environments, too.
  if (const std::optional<env::Lockfile> lock = environment.lockfile();
      lock && !env::includes_of(manifest).empty() &&
      std::ranges::find(lock->packages, id, &env::LockedPackage::install_id) != lock->packages.end())
    throw Error(ErrorKind::not_found,
                fmt::format("'{}' comes from an environment that '{}' includes", id, environment.name()),
                "Change it there, then run 'flox include upgrade' here.");
  throw Error(ErrorKind::not_found,
              fmt::format("'{}' is not installed in environment '{}'", id, environment.name()),
              "Run 'flox list' to see what is installed.");
}

}  // namespace flox::cli
