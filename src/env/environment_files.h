// manifest.toml, manifest.lock and origin.json: files that are read and written as one.
#pragma once  // Not fuzzed: it gives the texts as they are; their readers are env/manifest.h,
              // env/lockfile.h and env/origin.h.

#include <filesystem>
#include <optional>
#include <string>

#include "base/os/directory.h"

namespace flox::env {

struct EnvironmentFiles {
  std::string manifest;
  std::optional<std::string> lock;
  std::optional<std::string> origin;  // of an environment that came from a catalog, or went there

  bool operator==(const EnvironmentFiles&) const = default;
};

// The files of DIR/.flox/env as they were at one moment: never one from before a change and one from after.
// Follows links, for what is only read. Throws Error.
EnvironmentFiles read_environment_files(const std::filesystem::path& dir);

// One file of an environment, which may have come with somebody's repository: a regular one of at most
// `limit` bytes. Throws Error.
std::string read_environment_file(const std::filesystem::path& path, size_t limit);

// Replaces the files below the environment's .flox (`files`) in one step of the file system: whoever reads,
// and whoever comes after a stop of this process at any moment, finds all old or all new. `after` needs a
// lock; without an origin, the one that is there stays. The directory stays the same one, with what else is
// in it. Where a file system cannot exchange directories (RENAME_EXCHANGE of renameat2(2)), or somebody has
// made directories in .flox/env, they are replaced one after the other, each as a whole: lock, manifest,
// origin. Call with the environment's lock held. Throws Error, and nothing has changed then.
void replace_environment_files(const Directory& files, const EnvironmentFiles& after);
// Replaces origin.json alone; the same otherwise.
void replace_origin(const Directory& files, const std::string& origin);

}  // namespace flox::env
