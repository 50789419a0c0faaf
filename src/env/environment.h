// An environment on disk: a directory with .flox/env/{manifest.toml,manifest.lock}
// (docs/explanation/environments.md), and the two services it needs, as seams: somebody who resolves names to
// store paths, and somebody who makes them present.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "env/lockfile.h"
#include "env/manifest.h"

namespace flox::env {

// Names to store paths. The laptop asks the catalog; a pod asks floxd.
class Resolver {
 public:
  virtual ~Resolver() = default;
  // Best match for the descriptor on this system (and this CPU). Throws Error(not_found) naming what is
  // unknown (with the closest names or the versions there are as advice), unavailable if nobody answers.
  virtual LockedPackage resolve(std::string_view install_id, const InstallDescriptor& descriptor,
                                std::string_view system) = 0;
};

// Store paths to files. The laptop realises into its own store; a pod asks floxd.
class Realiser {
 public:
  virtual ~Realiser() = default;
  // Makes the environment present and returns its profile (see profile.h), leased to whoever asks.
  virtual nix::StorePath realise(const Lockfile& lock, std::string_view system, std::string_view mode) = 0;
};

class Environment {
 public:
  // Makes DIR/.flox. Throws Error(conflict) if there is one already.
  static Environment init(const fs::path& dir, std::string_view name);
  // The environment in DIR. Throws Error(not_found), and invalid_input if .flox is damaged.
  static Environment open(const fs::path& dir);
  // The environment for work in DIR: DIR's own; otherwise the nearest above it inside a git repository;
  // otherwise the only one directly below it (the guide's deployment activates from the parent of the
  // directory that its init container made). Throws Error(not_found) with advice, also if there are several
  // below. `found_below` is set if the last rule applied.
  static Environment find(const fs::path& dir, bool* found_below = nullptr);

  const fs::path& directory() const noexcept { return directory_; }  // holds .flox
  const std::string& name() const noexcept { return name_; }
  Manifest manifest() const;
  std::string manifest_text() const;
  std::optional<Lockfile> lockfile() const;

  // The lock for the present manifest: as on disk if it matches, otherwise resolved anew (what is locked
  // already stays at its version) and written.
  Lockfile lock(Resolver& resolver);
  // Replaces manifest and lock together: both or neither. Throws Error and changes nothing if it cannot be
  // locked.
  Lockfile edit(const std::string& new_manifest_text, Resolver& resolver);

  // .flox/run/<system>.<name>-<mode>, the link to the built profile.
  fs::path run_link(std::string_view system, std::string_view mode) const;
  void set_run_link(std::string_view system, std::string_view mode, const nix::StorePath& profile) const;

 private:
  Environment(fs::path directory, std::string name)
      : directory_(std::move(directory)), name_(std::move(name)) {}
  fs::path directory_;
  std::string name_;
};

// The lock with the environment's primary package at another version (FLOX_PACKAGE_VERSION, the guide's
// rollback). The primary package is the one whose install id equals the environment's name or the name
// without a trailing "-env", else the only one. Throws Error(not_found) if there is no such version,
// invalid_input if no package is primary.
Lockfile with_primary_version(const Lockfile& lock, std::string_view environment_name,
                              std::string_view version, std::string_view system, Resolver& resolver);

}  // namespace flox::env
