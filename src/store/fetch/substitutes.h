// Where the missing paths of a closure can be had: asking the caches. The fetcher's side.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/error.h"
#include "store/cache/binary_cache.h"
#include "store/fetch/installer_link.h"

namespace flox::store {

// The caches of one realisation in the order in which they are asked: by the priority that they give in their
// nix-cache-info or that their URL says, then as they were named. Thread-safe.
class CacheList {
 public:
  // Reads what each needs to be asked (tokens, keys), and asks nobody yet. Throws Error(invalid_input) for
  // what is no cache's URL.
  explicit CacheList(const v1::FetchRequest& request);
  // What is asked when another one does not answer, as the last. Call before read_infos().
  void add_peers(std::unique_ptr<BinaryCache> peers);
  bool is_peers(size_t index) const { return entries_.at(index)->is_peers; }
  // Asks each for its nix-cache-info, and puts them in order. One that cannot be used (it does not answer, it
  // is for another store directory) stays in the list and says why when it is asked.
  void read_infos(InstallerLink& installer);

  size_t size() const noexcept { return entries_.size(); }
  BinaryCache& at(size_t index) { return *entries_.at(index)->cache; }
  // Its number in the request, which is what the installer knows it by; and back.
  size_t number(size_t index) const { return entries_.at(index)->number; }
  // Why this cache is not asked any more; nothing as long as it is good.
  std::optional<Error> why_not(size_t index) const;
  void give_up(size_t index, const Error& error);

 private:
  struct Entry {
    std::unique_ptr<BinaryCache> cache;
    size_t number = 0;
    std::string known_info;
    int priority = 0;
    bool is_peers = false;
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
  nix::NarInfo narinfo;   // the installer trusts it
  size_t cache = 0;       // index in the CacheList
  bool has_base = false;  // the installer can make a part of it, by its index
};

// Asks one cache, and the installer whether it may be taken from there. Nothing, with the reason added, if
// the cache does not have the path. Throws Error.
std::optional<nix::NarInfo> find_at(CacheList& caches, size_t index, const nix::StorePath& path,
                                    InstallerLink& installer, Reasons& reasons);

// What is wanted, and all that it refers to and the installer wants, too; each with a cache that has it. All
// paths of a level are asked for at once. Throws Error for the first path that no cache can give; if the
// request only asks, for the first of which a cache has not said whether it has it.
std::vector<Substitute> find_missing(const v1::FetchRequest& request, CacheList& caches,
                                     InstallerLink& installer);

}  // namespace flox::store
