// Where the missing paths of a closure can be had: asking the caches.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/error.h"
#include "store/binary_cache.h"
#include "store/narinfo_cache.h"
#include "store/realise.h"

namespace flox::store {

// The caches of one realisation in the order in which they are asked: by the priority that they give in their
// nix-cache-info or that their URL says, then as they were named. One that wants no mass queries comes after
// the others. Thread-safe.
class CacheList {
 public:
  // Asks each for its nix-cache-info. One that cannot be used (it does not answer, it is for another store
  // directory) stays in the list and says why when it is asked. Throws Error(invalid_input) for what is no
  // cache's URL.
  CacheList(const RealiseOptions& options, NarinfoCache& memory);

  size_t size() const noexcept { return entries_.size(); }
  BinaryCache& at(size_t index) { return *entries_.at(index)->cache; }
  const nix::TrustedKeys& keys(size_t index) const { return entries_.at(index)->keys; }
  // Why this cache is not asked any more; nothing as long as it is good.
  std::optional<Error> why_not(size_t index) const;
  void give_up(size_t index, const Error& error);

 private:
  struct Entry {
    std::unique_ptr<BinaryCache> cache;
    nix::TrustedKeys keys;
    int priority = 0;
    bool mass_query = true;
    mutable std::mutex mutex;
    std::optional<Error> error;
  };
  static void read_info(Entry& entry, const CacheAnswer& answer);

  std::vector<std::unique_ptr<Entry>> entries_;
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
  size_t cache = 0;      // index in the CacheList
};

// Asks one cache, not its memory, and applies the options' policy of trust. Nothing, with the reason added,
// if the cache does not have the path. Throws Error. A content address that is not proven by the path's name
// is untrusted; one in a form that we cannot check is left out of the answer.
std::optional<nix::NarInfo> find_at(CacheList& caches, size_t index, const nix::StorePath& path,
                                    const RealiseOptions& options, Reasons& reasons);

// The paths of the closure that are not valid, each with a cache that has it. Announces them as temporary
// roots before it looks. All paths of a level are asked for at once. Throws Error for the first path that no
// cache can give.
std::vector<Substitute> find_missing(const LocalStore& store, const nix::StorePathSet& paths,
                                     const RealiseOptions& options, CacheList& caches, NarinfoCache& memory);

}  // namespace flox::store
