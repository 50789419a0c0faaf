// The catalog's records: one row per published build.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "catalog/model.h"
#include "server/database/database.h"

namespace flox::server {

// Thread-safe.
class Records {
 public:
  // The database (records/database.h) must outlive it. Others may use it at the same time.
  explicit Records(Database& database) : database_(database) {}

  // Adds a build; true if it is new, false if the very same is there. Throws Error(conflict) if the same
  // name, version, system and variant is there with other outputs.
  bool add(const catalog::PackageBuild& build);
  // The recorded build with the same name, version, system and variant.
  std::optional<catalog::PackageBuild> find(const catalog::PackageBuild& like) const;
  // All builds of a package, newest version first; empty if it is unknown.
  std::vector<catalog::PackageBuild> builds(std::string_view name) const;
  // Newest build of each package whose name or description contains the term (case-insensitive), by name;
  // only builds for that system if one is given.
  std::vector<catalog::PackageBuild> search(std::string_view term, std::string_view system = {}) const;
  // Names of all packages, sorted; the same list until one is added, here or by another catalog.
  std::shared_ptr<const std::vector<std::string>> names() const;
  // Computes every build's signer again if `keys` is not the text of the last call: the trusted keys have
  // changed. Interrupted, it is done again by the next call.
  void set_signers(const std::string& keys,
                   const std::function<std::string(const catalog::PackageBuild&)>& signer_of);
  int64_t count() const;
  // Throws Error(unavailable) if the database does not answer.
  void check() const { database_.check(); }

 private:
  Database& database_;
  mutable std::mutex mutex_;  // of what follows
  mutable std::shared_ptr<const std::vector<std::string>> names_;
  mutable std::string names_revision_;  // the database's when they were read
};

}  // namespace flox::server
