// The catalog's environments: OWNER/NAME, each a row of generations that are never changed.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "env/lockfile.h"
#include "server/database/database.h"
#include "server/records/name_files.h"
#include "server/records/removal_marks.h"

namespace flox::server {

// Of an environment that the catalog has.
struct EnvironmentSummary {
  std::string owner, name;
  int64_t latest = 0;       // number of its latest generation
  int64_t generations = 0;  // that it has: retention may have removed older ones
};

struct GenerationSummary {
  int64_t number = 0;
  std::string pushed_at;  // RFC 3339, UTC
};

struct Generation {
  int64_t number = 0;    // 1, 2, …
  std::string manifest;  // manifest.toml
  env::Lockfile lock;
  std::string pushed_at;  // RFC 3339, UTC
};

// Throws Error if the next generation must not be pushed upon that one; nothing: there is none yet. It may be
// called again.
using UponGeneration = std::function<void(const std::optional<Generation>& latest)>;

// Thread-safe.
class EnvironmentRecords {
 public:
  // The database (records/database.h) must outlive it.
  explicit EnvironmentRecords(Database& database) : database_(database) {}

  // Adds the next generation and gives it, unless the latest has the same manifest and lock: then that one.
  // `number` is set here.
  // `signed_by` is the name file of that generation: both become visible, or neither. The latest is then
  // given again only for the very same name file. Throws Error(conflict) if the next generation has another
  // number than its version. `upon` looks at the latest unless that is given again: the same request once
  // more, whose answer was lost, has its answer.
  // `with_it` and `looked` as Records::add() has them.
  Generation push(
      const std::string& owner, const std::string& name, const Generation& generation,
      const std::optional<StoredNameFile>& signed_by = {},
      const UponGeneration& upon = [](const std::optional<Generation>&) {},
      const std::function<void(Session&)>& with_it = [](Session&) {}, const LookedFor& looked = {});
  // The latest generation, or that of the number; nothing if there is none.
  std::optional<Generation> find(const std::string& owner, const std::string& name,
                                 std::optional<int64_t> number) const;

  // What is said of a generation that an environment, which there is, does not have: whether it was removed,
  // and which there are.
  Error missing(const std::string& owner, const std::string& name, int64_t number) const;

  // All environments, or the owner's, by owner and name.
  std::vector<EnvironmentSummary> list(const std::string& owner = "") const;
  // At most so many generations, those up to `newest`, newest first.
  std::vector<GenerationSummary> generations(const std::string& owner, const std::string& name, size_t most,
                                             int64_t newest = std::numeric_limits<int64_t>::max()) const;
  // How many it has: retention may have removed older ones.
  int64_t count(const std::string& owner, const std::string& name) const;

 private:
  Database& database_;
};

}  // namespace flox::server
