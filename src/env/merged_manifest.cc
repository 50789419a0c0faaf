#include "env/merged_manifest.h"

#include "base/error.h"
#include "env/compose.h"
#include "env/environment_files.h"
#include "env/manifest_toml.h"

namespace flox::env {

ShownManifest manifest_to_show(const Environment& environment, Resolver& resolver) {
  const fs::path files_of = environment.directory() / ".flox/env";
  const EnvironmentFiles files = read_environment_files(environment.directory());
  std::optional<Manifest> wanted;
  try {
    wanted = Manifest::parse(files.manifest, (files_of / "manifest.toml").string());
  } catch (const Error&) {
    return {.text = files.manifest};
  }
  if (includes_of(*wanted).empty()) return {.text = files.manifest};
  std::optional<Lockfile> lock;
  if (files.lock) lock = Lockfile::parse(*files.lock, (files_of / "manifest.lock").string());
  if (lock && locks(*lock, *wanted)) return {.text = manifest_toml(lock->manifest), .is_merged = true};
  const std::optional<Manifest> unknown;  // the one that was locked may be another
  const nlohmann::json merged = merged_manifest({.wanted = *wanted,
                                                 .old_lock = lock,
                                                 .old_manifest = unknown,
                                                 .anew = {},
                                                 .only_system = current_system(),
                                                 .directory = environment.directory(),
                                                 .include_anew = {}},
                                                resolver);
  return {.text = manifest_toml(merged), .is_merged = true};
}

}  // namespace flox::env
