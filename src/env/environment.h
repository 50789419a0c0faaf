// An environment on disk: a directory with .flox/env/{manifest.toml,manifest.lock}
// (docs/explanation/environments.md), and the two services it needs, as seams: somebody who resolves names to
// store paths, and somebody who makes them present.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "env/environment_files.h"
#include "env/environment_lock.h"
#include "env/lockfile.h"
#include "env/locking.h"
#include "env/manifest.h"
#include "env/origin.h"

namespace flox::env {

// Store paths to files. The laptop realises into its own store; a pod asks floxd.
class Realiser {
 public:
  virtual ~Realiser() = default;
  // Makes the environment present and returns its profile (see profile.h), leased to whoever asks.
  virtual nix::StorePath realise(const Lockfile& lock, std::string_view system, std::string_view mode) = 0;
};

// A generation of a catalog as the content of an environment.
struct Checkout {
  std::string manifest;
  Lockfile lock;
  std::optional<Origin> origin;  // nothing: a copy that has none, or the one that is there stays
};

// How a command changes an environment.
struct ChangeContext {
  std::string doing = "flox";        // the command, for those who wait for its end
  EnvironmentLock::Waiting waiting;  // called if another one has to be waited for
  // Makes what the new lock says present. Called before anything is written; if it throws, nothing is.
  std::function<void(const Lockfile&)> prepare;
  std::function<bool(const std::string& install_id)>
      anew;               // resolve it though it is locked; by default nothing
  bool only_try = false;  // write nothing
  // Read again of what [include] names, by name, though it is locked; by default nothing.
  std::function<bool(const std::string& name)> include_anew;
  std::string manifest_name = {};  // the new manifest's, in errors with a place; empty: its path
  bool is_typed = false;           // LockRequest::is_typed
};

// What an environment in DIR is called if nobody names it: as the directory, with dashes for spaces.
std::string name_of_directory(const fs::path& dir);

class Environment {
 public:
  // Makes DIR/.flox. Throws Error(conflict) if there is one already.
  static Environment init(const fs::path& dir, std::string_view name);
  // The same, with that content from the beginning.
  static Environment init(const fs::path& dir, std::string_view name, const Checkout& content);
  // The environment in DIR. Throws Error(not_found), and invalid_input if .flox is damaged.
  static Environment open(const fs::path& dir);
  // The environment for work in DIR: DIR's own, which in a directory that others can write to must be this
  // user's, root's or of DIR's owner (any other is Error(untrusted) with advice); otherwise the nearest above
  // it inside the git repository that DIR is in, on the same file system and not behind a directory of
  // another user's (one of another user's is Error(untrusted) with advice); otherwise the only one directly
  // below it that is of one of those users (the guide's deployment activates from the parent of the directory
  // that its init container made). Throws Error(not_found) with advice, also if there are several below.
  // `found_below` is set if the last rule applied.
  static Environment find(const fs::path& dir, bool* found_below = nullptr);

  const fs::path& directory() const noexcept { return directory_; }  // holds .flox
  const std::string& name() const noexcept { return name_; }
  Manifest manifest() const;
  std::string manifest_text() const;
  std::optional<Lockfile> lockfile() const;

  // What origin.json says; nothing if there is none. Throws Error(invalid_input) if it is damaged.
  std::optional<Origin> origin() const;

  // The lock for the manifest as it is, and nothing is written: the one on disk if it was made for it;
  // otherwise what is locked and still wanted, with the rest resolved for this machine's system. `is_written`
  // says which.
  Lockfile current_lock(Resolver& resolver, bool* is_written = nullptr) const;

  // Commands that change the environment do so one after the other, each as a whole: it takes the
  // environment's lock, reads, resolves, prepares, and replaces manifest and lock together
  // (environment_files.h). Whatever stops it before leaves both as they were. All throw Error.
  using Change = std::function<std::string(const std::string& manifest_text)>;
  Lockfile edit(const Change& change, Resolver& resolver, const ChangeContext& context = {}) const;
  Lockfile edit(const std::string& new_manifest_text, Resolver& resolver,
                const ChangeContext& context = {}) const;
  // With the manifest as it is.
  Lockfile lock(Resolver& resolver, const ChangeContext& context = {}) const;
  // Puts a generation in the place of manifest, lock and origin, as edit() puts what it makes. `allowed` sees
  // what would be replaced, and throws Error if it must not be.
  void check_out(const Checkout& generation, const std::function<void(const EnvironmentFiles&)>& allowed,
                 const ChangeContext& context = {}) const;
  // Writes down where manifest and lock have come from, or gone to, and leaves them as they are.
  void set_origin(const Origin& origin, const ChangeContext& context = {}) const;
  // Removes .flox, whole: from the moment on at which anything is missing there is no environment any more.
  void remove(const ChangeContext& context = {}) const;
  // Keeps others from changing the environment while somebody builds it or from it.
  EnvironmentLock exclusive(const ChangeContext& context) const;

  // .flox/run/<system>.<name>-<mode>, the link to the built profile.
  fs::path run_link(std::string_view system, std::string_view mode) const;
  void set_run_link(std::string_view system, std::string_view mode, const nix::StorePath& profile) const;

 private:
  std::string manifest_path() const;
  void replace(const Directory& directory, const EnvironmentFiles& before,
               const EnvironmentFiles& after) const;
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
