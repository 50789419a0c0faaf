// The catalog's records: one row per published build.
#pragma once

#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "catalog/model.h"
#include "server/database/database.h"
#include "server/records/facets.h"
#include "server/records/name_files.h"
#include "server/records/needed_paths.h"
#include "server/records/removal_marks.h"

namespace flox::server {

// A package's name file, and what it lists, by target path (trust::Target).
struct SignedBuilds {
  struct Listed {
    std::string sha256;
    std::optional<std::string> yanked;
  };
  StoredNameFile file;
  std::map<std::string, Listed> listed;
};

// A build as it is recorded: what is needed to choose among a package's builds, and the rest unread.
struct RecordedBuild {
  std::string version, system, variant;
  std::string owner;  // who signs it; empty: nobody
  bool yanked = false;
  std::string record;  // all of it, as JSON
  catalog::PackageBuild build() const;
};

// Which part of a list in the order of names is wanted: at most `most` after the name, `skip` left out.
struct Part {
  std::string after;  // empty: from the first
  size_t skip = 0;
  size_t most = std::numeric_limits<size_t>::max();
};

// A part of what a search has found.
struct FoundPackages {
  std::vector<catalog::PackageBuild> builds;
  size_t total = 0;       // of all parts
  bool has_more = false;  // behind this part
};

// What else is done in the transaction that records something: both happen, or neither. It may be called
// again.
using InTransaction = std::function<void(Session&)>;

// Thread-safe.
class Records {
 public:
  // The database (records/database.h) must outlive it. Others may use it at the same time.
  explicit Records(Database& database) : database_(database) {}

  // Adds a build; true if it is new, false if the very same is there. Throws Error(conflict) if the same
  // name, version, system and variant is there with other outputs.
  // `signed_by` is the package's name file that lists the build: both become visible, or neither. Builds that
  // it does not list are no longer found: those of nobody's from before the package had an owner, and those
  // that the owner has given up. Throws Error(untrusted) for a package that another owner signs, or
  // that is signed, without its name file; invalid_input if that lists what is not recorded.
  // Yanked is what the name file says is yanked.
  // `looked` is for what the build needs; throws LookAgain.
  bool add(
      const catalog::PackageBuild& build, const std::optional<SignedBuilds>& signed_by = {},
      const InTransaction& with_it = [](Session&) {}, const LookedFor& looked = {});
  // Yanks all builds of the version for that reason, or no longer without one. `signed_by` as above: the
  // package's name file that says so, if it has an owner. Throws Error(not_found) if there is no such
  // version.
  void yank(const std::string& name, const std::string& version, const std::optional<std::string>& reason,
            const std::optional<SignedBuilds>& signed_by = {});
  // Removes these builds (trust::PackageRecord::target_path), which the package's name file no longer lists.
  // Throws Error(invalid_input) if it does, and LookAgain if something was recorded since `publications`
  // (RemovalMarks::publications): plan again what may go.
  void remove(const std::string& name, const std::set<std::string>& builds, const SignedBuilds& signed_by,
              int64_t publications);
  // The package has another owner now: what the present one has signed of it does not count any more.
  static void disown(Session& session, std::string_view name);
  // The recorded build with the same name, version, system and variant.
  std::optional<catalog::PackageBuild> find(const catalog::PackageBuild& like) const;
  // All builds of a package, newest version first; empty if it is unknown. If it has an owner: its owner's.
  std::vector<catalog::PackageBuild> builds(std::string_view name) const;
  // The same, unread: of most nobody needs more than the version.
  std::vector<RecordedBuild> recorded(std::string_view name) const;
  // Newest build of each package, by name, if its name or description contains the term (case-insensitive);
  // only what the filter admits. `hidden` packages are as if they were not there; of the rest that part, of
  // one moment.
  FoundPackages search(std::string_view term, const Filter& filter, const std::set<std::string>& hidden,
                       const Part& part) const;
  // What the same search can be narrowed by; at most `most` values each. No record is read for it.
  Facets facets(std::string_view term, const Filter& filter, const std::set<std::string>& hidden,
                size_t most) const;
  // The systems that these packages have builds for, by package.
  std::map<std::string, std::set<std::string>> systems(const std::vector<std::string>& names) const;
  // Names of all packages, sorted; the same list until one is added, here or by another catalog.
  std::shared_ptr<const std::vector<std::string>> names() const;
  // Computes every build's signer again if `keys` is not the text of the last call: the trusted keys have
  // changed. `signers_of` gives those of some hundred builds, in their order. Interrupted, it is done again
  // by the next call.
  using SignersOf = std::function<std::vector<std::string>(const std::vector<catalog::PackageBuild>&)>;
  void set_signers(const std::string& keys, const SignersOf& signers_of);
  int64_t count() const;
  // The digests of all store paths that builds and environments need (records/needed_paths.h).
  void for_each_needed_path(const std::function<void(std::string_view digest)>& take) const {
    server::for_each_needed_path(database_, take);
  }
  // Throws Error(unavailable) if the database does not answer.
  void check() const { database_.check(); }

  // Who signs the package's builds; empty: nobody, or it is unknown. Whose it is Holdings has.
  std::string owner_of(std::string_view name) const;

 private:
  Database& database_;
  mutable std::mutex mutex_;  // of what follows
  mutable std::shared_ptr<const std::vector<std::string>> names_;
  mutable std::string names_revision_;  // the database's when they were read
};

}  // namespace flox::server
