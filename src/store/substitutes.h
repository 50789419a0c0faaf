// Where the missing paths of a closure can be had: asking the caches.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "store/binary_cache.h"
#include "store/realise.h"

namespace flox::store {

// One thread's own connections to the caches, in order of preference.
class CacheList {
 public:
  // Throws Error(invalid_input) for what is no cache's URL.
  explicit CacheList(const std::vector<std::string>& urls);
  size_t size() const noexcept { return caches_.size(); }
  BinaryCache& at(size_t index) { return *caches_.at(index); }

 private:
  std::vector<std::unique_ptr<BinaryCache>> caches_;
};

// Why the caches, one after the other, could not give a path.
class Reasons {
 public:
  void add(const Error& error);
  void absent(const std::string& cache_url);
  // "PATH: cache A: …; cache B: …", untrusted if any cache was not trusted, unavailable if one could not be
  // asked or broke off, otherwise not_found.
  [[noreturn]] void fail(const nix::StorePath& path) const;

 private:
  std::vector<Error> errors_;
};

// A missing path, and where it was found.
struct Substitute {
  nix::NarInfo narinfo;  // trusted
  size_t cache = 0;      // index in RealiseOptions::caches
};

// Asks one cache and applies the options' policy of trust. Nothing, with the reason added, if the cache does
// not have the path. Throws Error. A content address that is not proven by the path's name is untrusted; one
// in a form that we cannot check is left out of the answer.
std::optional<nix::NarInfo> find_at(BinaryCache& cache, const nix::StorePath& path,
                                    const RealiseOptions& options, Reasons& reasons);

// The paths of the closure that are not valid, each with a cache that has it. Announces them as temporary
// roots before it looks. Throws Error for the first path that no cache can give.
std::vector<Substitute> find_missing(const LocalStore& store, const nix::StorePathSet& paths,
                                     const RealiseOptions& options);

}  // namespace flox::store
