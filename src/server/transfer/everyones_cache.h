// The catalog's cache as everyone sees it: what is taken from elsewhere for everyone.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "server/files/cache_access.h"
#include "server/records/cache_readers.h"

namespace flox::server {

// Thread-safe.
class EveryonesCache : public CacheAccess {
 public:
  // The database (records/database.h) must outlive it.
  explicit EveryonesCache(Database& database) : readers_(database) {}

  std::set<std::string> unreadable(const std::vector<std::string>& names) const override {
    return readers_.unreadable(names, {});
  }
  void grant(const std::string& name, bool) const override { readers_.make_public({name}); }

 private:
  mutable CacheReaders readers_;
};

}  // namespace flox::server
