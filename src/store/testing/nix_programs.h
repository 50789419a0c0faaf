// Debian's Nix, for tests that compare with it.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/os/process.h"

namespace flox::store {

// Runs a program of Nix away from the machine's own settings and caches; `home` is a directory of the test's.
inline Outcome run_nix(std::vector<std::string> argv, const std::filesystem::path& home) {
  return run({.argv = std::move(argv),
              .env = {{"HOME", home},
                      {"XDG_CACHE_HOME", home / "cache-of-nix"},
                      {"NIX_CONFIG", "experimental-features = nix-command\nbuild-users-group ="}},
              .cwd = {},
              .input = {}});
}

}  // namespace flox::store
