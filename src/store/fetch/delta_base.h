// What a new path can be made of: files of other versions that are in the store already. The installer's
// side.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "store/local/local_store.h"

namespace flox::store {

// What versions of one package's output have in common: the name without its components that begin with a
// digit. "openssl-3.0.11-dev" and "openssl-3.1-dev" are "openssl-dev".
std::string package_stem(std::string_view name);

// Thread-safe. Looks at the store once, when it is asked first.
class DeltaBases {
 public:
  explicit DeltaBases(const LocalStore& store) : store_(store) {}

  // At most two valid paths that may have much in common with this one, the best first, by names, sizes and
  // when they were registered. They are temporary roots from here on.
  std::vector<StorePath> find(const PathInfo& wanted);

 private:
  const LocalStore& store_;
  std::mutex mutex_;
  bool has_looked_ = false;
  std::map<std::string, std::vector<StorePath>, std::less<>> by_stem_;
};

}  // namespace flox::store
