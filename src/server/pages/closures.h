// Closures of builds as the binary cache has them: what each is made of, and what it weighs.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "catalog/model.h"
#include "server/files/cache_files.h"
#include "server/identity/accounts.h"
#include "trust/sbom/bill.h"

namespace flox::server {

// Thread-safe. Remembers the closures that were asked for last: a closure never changes.
class Closures {
 public:
  // A larger one is not shown.
  static constexpr size_t most_paths = 5000;

  // The references must outlive it.
  Closures(CacheFiles& cache, Accounts& accounts) : cache_(cache), accounts_(accounts) {}

  // As a bill of materials: name and version of the build's own paths are the catalog's, those of the others
  // are by their store paths. Throws Error(invalid_input) if a path is not in the cache, or the caller may
  // not read it, and for a closure over most_paths.
  std::shared_ptr<const trust::Bill> of(const catalog::PackageBuild& build, const Caller& caller);

 private:
  static constexpr size_t most_remembered = 2000;  // paths in all, of some 2 KiB each
  struct Known {
    std::string key;
    std::shared_ptr<const trust::Bill> bill;
  };

  CacheFiles& cache_;
  Accounts& accounts_;
  std::mutex mutex_;        // of what follows
  std::list<Known> known_;  // the one that was asked for last comes first; of what everyone may see
};

}  // namespace flox::server
