// The project that flox build and flox publish work in.
#pragma once

#include "env/environment.h"

namespace flox::cli {

// The environment in the directory, or the nearest above it inside a git repository. One that is below is
// somebody else's project. Throws Error(not_found).
inline env::Environment project_of(const std::filesystem::path& directory) {
  bool found_below = false;
  env::Environment environment = env::Environment::find(directory, &found_below);
  return found_below ? env::Environment::open(directory) : environment;
}

}  // namespace flox::cli
